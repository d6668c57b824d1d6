import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.js';

/** Takes datagrams at a Unix socket, which Node can't, and writes each as a line of JSON, with the sender's process. */
const RECEIVER = `
import json, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
name = sys.argv[1]
s.bind('\\0' + name[1:] if name.startswith('@') else name)
print('"bound"', flush=True)
while True:
    text, extra, _, _ = s.recvmsg(4096, 64)
    pid = next((struct.unpack('3i', data)[0] for _, kind, data in extra if kind == socket.SCM_CREDENTIALS), 0)
    print(json.dumps([pid, text.decode()]), flush=True)
`;

/** What a process has told. */
export interface Notice {
  readonly pid: number;
  /** Values by their names, such as READY. */
  readonly values: Readonly<Record<string, string>>;
}

/** Stands for a service manager: hears what services tell it, as systemd does. */
export class Manager {
  readonly socket: string;
  readonly notices: Notice[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'moovedge-manager-'));
  readonly #child: ChildProcess;
  #isBound = false;

  private constructor(isAbstract: boolean) {
    this.socket = isAbstract ? `@${this.#folder}` : join(this.#folder, 'notify');
    this.#child = spawn('python3', ['-c', RECEIVER, this.socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    let rest = '';
    this.#child.stdout!.setEncoding('utf8').on('data', text => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#take(JSON.parse(line));
    });
  }

  /** Starts to listen. @param isAbstract at a name that is no file, as for services in containers */
  static async start(isAbstract = false): Promise<Manager> {
    const manager = new Manager(isAbstract);
    await until('a manager that listens', () => manager.#isBound);
    return manager;
  }

  /** Waits for a process to tell something. */
  told(name: string, matches: (notice: Notice) => boolean = () => true): Promise<Notice> {
    return until(
      () => `a notice with ${name}, found ${JSON.stringify(this.notices)}`,
      () => this.notices.find(notice => name in notice.values && matches(notice)),
    );
  }

  end(): void {
    this.#child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #take(line: 'bound' | [pid: number, text: string]): void {
    if (line === 'bound') {
      this.#isBound = true;
      return;
    }
    const [pid, text] = line;
    const values = text.split('\n').map(each => each.split(/=(.*)/s, 2) as [string, string]);
    this.notices.push({ pid, values: Object.fromEntries(values) });
  }
}
