import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LiveStats } from '../src/live/delivery/live-stats.js';
import { RingWriter } from '../src/live/ring/ring-writer.js';
import { freePorts } from '../test/support/ports.js';
import { RtmpPublisher } from '../test/support/rtmp-publisher.js';
import { runFolder } from './support/folder.js';
import { startMediaServer } from './support/media-server.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';
import { CLIENT_CORE, LEASH, SERVER_CORE } from './support/server.js';

const VIEWERS = fileURLToPath(new URL('./support/live-viewers.cc', import.meta.url));
const SERVER = fileURLToPath(new URL('./support/live-server.ts', import.meta.url));
/** Of the stream: bits a second, and tags. */
const BITS = 600_000;
const TAGS = 25;
const MARK = Buffer.from('moovedge-stamp:');
/** AVCDecoderConfigurationRecord of 640 × 360 pixels. */
const AVC = Buffer.from('0142c01effe100146742c01ed901405ff2e022000003000200000300651e2c5c9001000468cb83cb', 'hex');

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
 * Beside it, node-media-server with some hundreds, as many as it carries. `--viewers N,… --batches MS,… --stalled N
 * --peer-viewers N,…`, the last empty for no peer.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, seconds, rest } = benchOptions(args, {
    viewers: '500,2000,4000',
    batches: '50,100,200,350',
    stalled: '500',
    'peer-viewers': '100,500',
  });
  const folder = runFolder(2 ** 26);
  mkdirSync(folder, { recursive: true });
  const program = join(folder, 'live-viewers');
  execFileSync('g++', ['-O2', '-std=c++17', VIEWERS, '-o', program]);
  const numbers = (list = '') => (list === '' ? [] : list.split(',').map(Number));
  const cases = [
    ...numbers(rest.viewers).map(viewers => ({ viewers, stalled: 0, batch: 100 })),
    { viewers: 1000, stalled: 0, batch: 100 },
    { viewers: 1000, stalled: Number(rest.stalled), batch: 100 },
    ...numbers(rest.batches).map(batch => ({ viewers: 1000, stalled: 0, batch })),
  ];
  const rows: Row[] = [];
  const peers = numbers(rest['peer-viewers']).map(viewers => ({ viewers, stalled: 0, batch: 0 }));
  for (const each of cases) {
    const found: (readonly number[])[] = [];
    for (let round = 0; round < rounds; round++) found.push(await measure(program, folder, each, seconds));
    const columns = found[0]!.map((_, at) => new Sample(found.map(values => values[at]!)));
    rows.push({ name: `${each.viewers} + ${each.stalled} stalled, ${each.batch} ms`, values: columns });
  }
  for (const each of peers) {
    const found: (readonly number[])[] = [];
    for (let round = 0; round < rounds; round++) found.push(await measurePeer(program, folder, each.viewers, seconds));
    const columns = found[0]!.map((_, at) => new Sample(found.map(values => values[at]!)));
    rows.push({ name: `node-media-server, ${each.viewers}`, values: columns });
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
    let begun: State | undefined;
    const told = await watch(
      program,
      `http://127.0.0.1:${port}/live/app/name.flv`,
      { viewers, stalled, seconds },
      async () => {
        begun = await ask(server);
      },
    );
    const after = await ask(server);
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

/** Runs the viewers. @param measuring told when all are there */
async function watch(
  program: string,
  url: string,
  { viewers, stalled, seconds }: { readonly viewers: number; readonly stalled: number; readonly seconds: number },
  measuring: () => void,
): Promise<Told> {
  const [command, ...rest] = bound(CLIENT_CORE);
  const numbers = [viewers, stalled, seconds].map(String);
  const client = spawn(command!, [...rest, program, new URL(url).port, new URL(url).pathname, ...numbers]);
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

/** The same stream, sent to node-media-server by RTMP. */
async function measurePeer(program: string, folder: string, viewers: number, seconds: number): Promise<number[]> {
  const { server, rtmpPort } = await startMediaServer(folder);
  const publisher = await RtmpPublisher.publish(rtmpPort, 'live/name');
  publisher.media(9, 0, Buffer.concat([Buffer.from([0x17, 0, 0, 0, 0]), AVC]));
  const timer = everyTag((timestamp, _, body) => publisher.media(9, timestamp, body));
  try {
    const idle = server.memory().anonymous;
    let begun = 0;
    const told = await watch(program, `${server.url}/live/name.flv`, { viewers, stalled: 0, seconds }, () => {
      begun = server.cpuSeconds();
    });
    const core = (server.cpuSeconds() - begun) / seconds;
    const gigabits = (told.bytes * 8) / 1e9 / seconds;
    const each = (server.memory().anonymous - idle) / 1024 / viewers;
    return [gigabits, core, core / gigabits, each, told.p50, told.p99, told.closed];
  } finally {
    clearInterval(timer);
    publisher.break();
    await server.stop();
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

/** A stream in a ring. */
function publish(writer: RingWriter): NodeJS.Timeout {
  writer.setHeaders({ video: Buffer.alloc(50, 0x17), hasVideo: true, hasAudio: false });
  writer.setState('publishing');
  return everyTag((timestamp, keyFrame, body) => {
    writer.append({ type: 9, timestamp, keyFrame, body: [body] });
  });
}

/** Even tags, each stamped with the time of its coming; a key frame every two seconds. */
function everyTag(send: (timestamp: number, keyFrame: boolean, body: Buffer) => void): NodeJS.Timeout {
  const begun = performance.now();
  let count = 0;
  const size = BITS / 8 / TAGS - 15;
  const body = Buffer.alloc(size, 0x27);
  // AVC frames, presented when they are decoded.
  body.fill(0, 1, 5);
  body[1] = 1;
  MARK.copy(body, 16);
  return setInterval(() => {
    for (; (count * 1000) / TAGS <= performance.now() - begun; count++) {
      const keyFrame = count % (2 * TAGS) === 0;
      body[0] = keyFrame ? 0x17 : 0x27;
      body.writeBigUInt64LE(process.hrtime.bigint(), 16 + MARK.length);
      send(Math.round((count * 1000) / TAGS), keyFrame, body);
    }
  }, 5);
}
