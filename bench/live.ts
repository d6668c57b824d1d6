import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LiveStats } from '../src/live/delivery/live-stats.js';
import { RingWriter } from '../src/live/ring/ring-writer.js';
import { freePorts } from '../test/support/ports.js';
import { runFolder } from './support/folder.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';
import { CLIENT_CORE, LEASH, SERVER_CORE } from './support/server.js';

const VIEWERS = fileURLToPath(new URL('./support/live-viewers.cc', import.meta.url));
const SERVER = fileURLToPath(new URL('./support/live-server.ts', import.meta.url));
/** Of the stream: bits a second, and tags. */
const BITS = 600_000;
const TAGS = 25;
const MARK = Buffer.from('moovedge-stamp:');

/** What the viewers tell at their end. Times in milliseconds. */
interface Told {
  readonly bytes: number;
  readonly closed: number;
  readonly closedStalled: number;
  readonly stamps: number;
  readonly p50: number;
  readonly p99: number;
}

type State = LiveStats & { readonly rss: number; readonly cpu: NodeJS.CpuUsage };

/**
 * Viewers of one live stream of 600 kb/s over HTTP, on one core: processor time for what they get, memory, latency from
 * a tag's coming to its reading by the viewer, and what 500 viewers that read nothing do to the others.
 * `--viewers N,… --batches MS,… --stalled N`.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, seconds, rest } = benchOptions(args, {
    viewers: '500,2000,4000',
    batches: '50,100,200,350',
    stalled: '500',
  });
  const folder = runFolder(2 ** 26);
  mkdirSync(folder, { recursive: true });
  const program = join(folder, 'live-viewers');
  execFileSync('g++', ['-O2', '-std=c++17', VIEWERS, '-o', program]);
  const numbers = (list: string | undefined) => list!.split(',').map(Number);
  const cases = [
    ...numbers(rest.viewers).map(viewers => ({ viewers, stalled: 0, batch: 100 })),
    { viewers: 1000, stalled: 0, batch: 100 },
    { viewers: 1000, stalled: Number(rest.stalled), batch: 100 },
    ...numbers(rest.batches).map(batch => ({ viewers: 1000, stalled: 0, batch })),
  ];
  const rows: Row[] = [];
  for (const each of cases) {
    const found: (readonly number[])[] = [];
    for (let round = 0; round < rounds; round++) found.push(await measure(program, folder, each, seconds));
    const columns = found[0]!.map((_, at) => new Sample(found.map(values => values[at]!)));
    rows.push({ name: `${each.viewers} + ${each.stalled} stalled, ${each.batch} ms`, values: columns });
  }
  const columns = [
    { title: 'Gb/s', digits: 2 },
    { title: 'core', digits: 2 },
    { title: 'core per Gb/s', digits: 3 },
    { title: 'KiB a viewer', digits: 1 },
    { title: 'p50 ms', digits: 1 },
    { title: 'p99 ms', digits: 1 },
    { title: 'lost', digits: 0 },
  ];
  const notes = ['core: of the process that sends; lost: tags dropped, and viewers cut that read'];
  return { title: 'live viewers', tables: [{ title: `viewers of ${BITS / 1000} kb/s`, columns, rows }], notes };
}

async function measure(
  program: string,
  folder: string,
  { viewers, stalled, batch }: { readonly viewers: number; readonly stalled: number; readonly batch: number },
  seconds: number,
): Promise<number[]> {
  const file = join(folder, 'ring');
  const writer = RingWriter.create(file, { bytes: 32 << 20, milliseconds: 8000 });
  const publisher = publish(writer);
  const [port] = await freePorts(1);
  const server = fork(SERVER, [String(port), file, String(batch)], {
    execPath: '/usr/bin/env',
    execArgv: [...bound(SERVER_CORE), process.execPath, '--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  try {
    await once(server.stdout!, 'data');
    const idle = await ask(server);
    const url = '/live/app/name.flv';
    const [command, ...rest] = bound(CLIENT_CORE);
    const client = spawn(command!, [
      ...rest,
      program,
      String(port),
      url,
      String(viewers),
      String(stalled),
      String(seconds),
    ]);
    client.stderr.pipe(process.stderr);
    let said = '';
    let begun: State | undefined;
    client.stdout.on('data', async (text: Buffer) => {
      said += text;
      if (begun === undefined && said.includes('measuring')) begun = await ask(server);
    });
    await once(client.stdout, 'end');
    const after = await ask(server);
    const told = JSON.parse(said.trim().split('\n').at(-1)!) as Told;
    const used = (after.cpu.user + after.cpu.system - begun!.cpu.user - begun!.cpu.system) / 1e6;
    const gigabits = (told.bytes * 8) / 1e9 / seconds;
    const core = used / seconds;
    const shared = sharedBytes(server.pid!);
    const each = (after.rss - idle.rss - shared) / 1024 / (viewers + stalled);
    return [gigabits, core, core / gigabits, each, told.p50, told.p99, after.droppedFrames + told.closed];
  } finally {
    server.kill();
    await once(server, 'exit');
    clearInterval(publisher);
    writer.close();
  }
}

/** A command that is bound to a core and does not outlive the benchmark. */
function bound(core: number): string[] {
  return ['setpriv', ...LEASH, 'taskset', '-c', String(core)];
}

async function ask(server: ChildProcess): Promise<State> {
  server.send('tell');
  const [state] = await once(server, 'message');
  return state as State;
}

/** Bytes of the ring that a process has touched, which all workers have in common. */
function sharedBytes(pid: number): number {
  const kibibytes = /^RssShmem:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

/** A stream of even tags, each stamped with the time of its coming; a key frame every two seconds. */
function publish(writer: RingWriter): NodeJS.Timeout {
  writer.setHeaders({ video: Buffer.alloc(50, 0x17), hasVideo: true, hasAudio: false });
  writer.setState('publishing');
  const begun = performance.now();
  let count = 0;
  const size = BITS / 8 / TAGS - 15;
  const body = Buffer.alloc(size, 0x27);
  MARK.copy(body, 16);
  return setInterval(() => {
    for (; (count * 1000) / TAGS <= performance.now() - begun; count++) {
      const keyFrame = count % (2 * TAGS) === 0;
      body[0] = keyFrame ? 0x17 : 0x27;
      body.writeBigUInt64LE(process.hrtime.bigint(), 16 + MARK.length);
      writer.append({ type: 9, timestamp: Math.round((count * 1000) / TAGS), keyFrame, body: [body] });
    }
  }, 5);
}
