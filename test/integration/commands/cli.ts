import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** As it was built, which starts in a fraction of the time that its sources take. */
const CLI = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url));

/** How a command ended. */
export interface CommandResult {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Starts `moovedge` with arguments. */
export function spawnMoovedge(args: readonly string[], env: Record<string, string> = {}) {
  return spawn(process.execPath, [CLI, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
}

/** Runs `moovedge` with arguments until it ends. */
export function moovedge(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
  return new Promise(resolve => {
    const child = spawnMoovedge(args, env);
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', text => {
      errors += text;
    });
    child.on('close', code => resolve({ code, output, errors }));
  });
}
