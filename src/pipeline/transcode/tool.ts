import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ControlGroups } from './control-groups.js';

/** Bytes of what a program complains of that are kept: the last ones say why it ended. */
const COMPLAINTS_MAX = 4096;
/** Most bytes of a line of output; a program that writes longer ones is ended. */
const LINE_MAX = 64 * 1024;

/** Has a shell join the control group that is its name, and become the program that its arguments are. */
const JOIN = 'echo $$ >"$0/cgroup.procs" && exec "$@"';

let machineGroups: Promise<ControlGroups | undefined> | undefined;

/** How a program is run. */
export interface ToolOptions {
  readonly program: 'ffmpeg' | 'ffprobe';
  readonly args: readonly string[];
  /** Most bytes of memory. */
  readonly memory: number;
  /** Most bytes of a file that it writes. */
  readonly fileSize: number;
  /** Milliseconds without `alive` after which it counts as hung. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  /** Control groups that it is bounded by, too; left out: those of the machine, where there are any. */
  readonly groups?: Promise<ControlGroups | undefined> | undefined;
  /** Takes a line of its output; true when it says that the work goes on. */
  line(line: string): boolean;
}

/** How a program ended. */
export interface ToolEnd {
  readonly code: number | null;
  /** True when it stood still and was killed. */
  readonly hung: boolean;
  /** The last of what it wrote on standard error. */
  readonly complaints: string;
}

/**
 * Runs ffmpeg or ffprobe in a process group of its own, with bounded memory and files, at low priority, and where that
 * is possible in a control group of its own. It is killed when this process dies, when it stands still, and when
 * `signal` is aborted.
 * @throws the reason of `signal`, when it ended the program
 */
export async function runTool(options: ToolOptions): Promise<ToolEnd> {
  const { program, args, memory, fileSize, timeout, signal } = options;
  signal.throwIfAborted();
  machineGroups ??= ControlGroups.find();
  const group = await (await (options.groups ?? machineGroups))?.make(memory);
  const limits = ['prlimit', `--as=${memory}`, `--fsize=${fileSize}`, '--core=0', '--nofile=256'];
  const command = ['setpriv', '--pdeathsig', 'KILL', ...limits, 'nice', '-n', '10', program, ...args];
  const [first = '', ...rest] = group === undefined ? command : ['sh', '-c', JOIN, group.folder, ...command];
  const child = spawn(first, rest, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LANG: 'C.UTF-8' },
  });
  let hung = false;
  const kill = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It is gone.
    }
  };
  const late = setTimeout(() => {
    hung = true;
    kill();
  }, timeout);
  signal.addEventListener('abort', kill, { once: true });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-COMPLAINTS_MAX);
  });
  createInterface({ input: child.stdout }).on('line', line => {
    if (line.length > LINE_MAX) kill();
    else if (options.line(line)) late.refresh();
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    signal.throwIfAborted();
    return { code, hung, complaints: complaints.trim() };
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', kill);
    // What it started has its groups, and goes with it.
    kill();
    await group?.end();
  }
}
