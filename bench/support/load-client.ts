import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLIENT_CORE, LEASH } from './server.js';

/** A command that is bound to a core and does not outlive the benchmark. */
export function bound(core: number): string[] {
  return ['setpriv', ...LEASH, 'taskset', '-c', String(core)];
}

/** A program in C++ of this folder that makes load, and says `measuring` and at its end what it has found, in JSON. */
export class LoadClient {
  readonly #program: string;

  /** Compiles it. @param name of its source, without extension */
  constructor(folder: string, name: string) {
    this.#program = join(folder, name);
    const source = fileURLToPath(new URL(`./${name}.cc`, import.meta.url));
    execFileSync('g++', ['-O2', '-std=c++17', source, '-o', this.#program]);
  }

  /** Runs it on the clients' core. @param measuring told when all are there */
  async run<Told>(args: readonly (string | number)[], measuring: () => void): Promise<Told> {
    const [command, ...rest] = bound(CLIENT_CORE);
    const client = spawn(command!, [...rest, this.#program, ...args.map(String)]);
    client.stderr.pipe(process.stderr);
    let said = '';
    let hasBegun = false;
    client.stdout.on('data', (text: Buffer) => {
      said += text;
      if (hasBegun || !said.includes('measuring')) return;
      hasBegun = true;
      measuring();
    });
    await once(client.stdout, 'end');
    return JSON.parse(said.trim().split('\n').at(-1)!) as Told;
  }
}
