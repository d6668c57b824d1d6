import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LiveStats } from '../src/live/delivery/live-stats.js';
import { RingWriter } from '../src/live/ring/ring-writer.js';
import { provide } from '../test/packages.mjs';
import { freePorts } from '../test/support/ports.js';
import { RtmpPublisher } from '../test/support/rtmp-publisher.js';
import { memory } from './support/accounting.js';
import { runFolder } from './support/folder.js';
import { BITS, everyTag, publishTo } from './support/live-stream.js';
import { bound, LoadClient } from './support/load-client.js';
import { type MediaServer, startMediaServer } from './support/media-server.js';
import { startNginxRtmp } from './support/nginx-rtmp.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';
import { SERVER_CORE } from './support/server.js';

const SERVER = fileURLToPath(new URL('./support/live-server.ts', import.meta.url));

/** What the viewers tell at their end. Times in milliseconds. */
interface Told {
  readonly bytes: number;
  readonly joined: number;
  readonly closed: number;
  readonly closedStalled: number;
  /** Tags that a tenth of them got, and that did not come in the order of their numbers. */
  readonly tags: number;
  readonly lost: number;
  readonly p50: number;
  readonly p99: number;
  /** From connecting to the first picture. */
  readonly join50: number;
  readonly join99: number;
  /** Cores that they took. */
  readonly cpu: number;
}

type State = LiveStats & { readonly cpu: NodeJS.CpuUsage };

/** Viewers that read, those that read nothing, and milliseconds of a batch. */
interface Case {
  readonly viewers: number;
  readonly stalled: number;
  readonly batch: number;
}

/** Where the viewers come, and how. */
interface Place {
  readonly protocol: 'http' | 'rtmp';
  readonly port: number;
  readonly path: string;
}

/**
 * Viewers of one live stream of 600 kb/s over HTTP, on one core: processor time for what they get, memory, latency from
 * a tag's coming to its reading by the viewer, the first picture of those who come, and what 500 viewers that read
 * nothing do to the others. Beside it node-media-server (HTTP-FLV) and nginx-rtmp (RTMP). `--viewers N,… --batches MS,…
 * --stalled N --peer-viewers N,… --nginx-viewers N,…`; `--peers none` for the edge alone.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, seconds, peers, rest } = benchOptions(args, {
    viewers: '500,2000,4000',
    batches: '50,100,200,350',
    stalled: '500',
    'peer-viewers': '100,500',
    'nginx-viewers': '500,2000,4000',
  });
  const folder = runFolder(2 ** 26);
  mkdirSync(folder, { recursive: true });
  const client = new LoadClient(folder, 'live-viewers');
  const numbers = (list = '') => (list === '' ? [] : list.split(',').map(Number));
  const stalled = Number(rest.stalled);
  const cases: Case[] = [
    ...numbers(rest.viewers).map(viewers => ({ viewers, stalled: 0, batch: 100 })),
    ...(stalled === 0 ? [] : [0, stalled].map(stalled => ({ viewers: 1000, stalled, batch: 100 }))),
    ...numbers(rest.batches).map(batch => ({ viewers: 1000, stalled: 0, batch })),
  ];
  const measured: { readonly name: string; measure(): Promise<readonly number[]> }[] = cases.map(each => ({
    name: `${each.viewers} + ${each.stalled} stalled, ${each.batch} ms`,
    measure: () => measure(client, folder, each, seconds),
  }));
  const ofPeer = (name: string, start: () => Promise<MediaServer>, protocol: Place['protocol'], list = '') => {
    for (const viewers of numbers(list)) {
      const each = () => measurePeer(client, start, protocol, viewers, seconds);
      measured.push({ name: `${name}, ${viewers}`, measure: each });
    }
  };
  if (peers.length > 0) ofPeer('node-media-server', () => startMediaServer(folder), 'http', rest['peer-viewers']);
  if (peers.includes('nginx') && rest['nginx-viewers'] !== '') {
    provide('bench', ['nginx-rtmp']);
    ofPeer('nginx-rtmp', () => startNginxRtmp(folder), 'rtmp', rest['nginx-viewers']);
  }
  const found = measured.map(() => [] as (readonly number[])[]);
  for (let round = 0; round < rounds; round++) {
    for (const [at, each] of measured.entries()) found[at]!.push(await each.measure());
  }
  const rows: Row[] = measured.map(({ name }, row) => ({
    name,
    values: COLUMNS.map((_, at) => new Sample(found[row]!.map(values => values[at]!))),
  }));
  const notes = [
    'core: of the process that sends, and of the viewers; a viewer: anonymous memory of that process',
    'lost: tags that every tenth viewer did not get while it was measured, and viewers cut that read',
    'dropped: tags that the edge left out, from the first viewer on; first: from connecting to the first picture',
  ];
  return {
    title: 'live viewers',
    tables: [{ title: `viewers of ${BITS / 1000} kb/s`, columns: COLUMNS, rows }],
    notes,
  };
}

const COLUMNS = [
  { title: 'Gb/s', digits: 2 },
  { title: 'core', digits: 2 },
  { title: 'core per Gb/s', digits: 3 },
  { title: "viewers' core", digits: 2 },
  { title: 'KiB a viewer', digits: 1 },
  { title: 'p50 ms', digits: 1 },
  { title: 'p99 ms', digits: 1 },
  { title: 'first p50 ms', digits: 1 },
  { title: 'first p99 ms', digits: 1 },
  { title: 'lost', digits: 0 },
  { title: 'dropped', digits: 0 },
];

/** One row. @param server what it took and has: cores, bytes, tags left out */
function row(told: Told, viewers: number, seconds: number, core: number, bytes: number, dropped: number): number[] {
  const gigabits = (told.bytes * 8) / 1e9 / seconds;
  const each = bytes / 1024 / viewers;
  const lost = told.lost + told.closed + viewers - told.joined;
  const latency = [told.p50, told.p99, told.join50, told.join99];
  return [gigabits, core, core / gigabits, told.cpu, each, ...latency, lost, dropped];
}

async function measure(client: LoadClient, folder: string, each: Case, seconds: number): Promise<number[]> {
  const file = join(folder, 'ring');
  const writer = RingWriter.create(file, { bytes: 32 << 20, milliseconds: 8000 });
  const publisher = publish(writer);
  const [port] = (await freePorts(1)) as [number];
  const server = fork(SERVER, [String(port), file, String(each.batch)], {
    execPath: '/usr/bin/env',
    execArgv: [...bound(SERVER_CORE), process.execPath, '--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  try {
    await once(server.stdout!, 'data');
    const idle = memory(server.pid!).anonymous;
    let begun: State | undefined;
    const told = await watch(
      client,
      { protocol: 'http', port, path: '/live/app/name.flv' },
      each,
      seconds,
      async () => {
        begun = await ask(server);
      },
    );
    const after = await ask(server);
    const used = (after.cpu.user + after.cpu.system - begun!.cpu.user - begun!.cpu.system) / 1e6;
    const bytes = memory(server.pid!).anonymous - idle;
    return row(told, each.viewers + each.stalled, seconds, used / seconds, bytes, after.droppedFrames);
  } finally {
    server.kill();
    await once(server, 'exit');
    clearInterval(publisher);
    writer.close();
  }
}

/** Runs the viewers. @param measuring told when all are there */
function watch(
  client: LoadClient,
  { protocol, port, path }: Place,
  { viewers, stalled }: Pick<Case, 'viewers' | 'stalled'>,
  seconds: number,
  measuring: () => void,
): Promise<Told> {
  return client.run<Told>([protocol, port, path, viewers, stalled, seconds], measuring);
}

/** The same stream, sent to another server by RTMP. */
async function measurePeer(
  client: LoadClient,
  start: () => Promise<MediaServer>,
  protocol: Place['protocol'],
  viewers: number,
  seconds: number,
): Promise<number[]> {
  const { server, rtmpPort } = await start();
  const publisher = await RtmpPublisher.publish(rtmpPort, 'live/name');
  const timer = publishTo(publisher);
  const place =
    protocol === 'http'
      ? { protocol, port: server.port, path: '/live/name.flv' }
      : { protocol, port: rtmpPort, path: 'live/name' };
  try {
    const idle = server.memory().anonymous;
    let begun = 0;
    const told = await watch(client, place, { viewers, stalled: 0 }, seconds, () => {
      begun = server.cpuSeconds();
    });
    const core = (server.cpuSeconds() - begun) / seconds;
    return row(told, viewers, seconds, core, server.memory().anonymous - idle, Number.NaN);
  } finally {
    clearInterval(timer);
    publisher.break();
    await server.stop();
  }
}

async function ask(server: ChildProcess): Promise<State> {
  server.send('tell');
  const [state] = await once(server, 'message');
  return state as State;
}

/** A stream in a ring. */
function publish(writer: RingWriter): NodeJS.Timeout {
  writer.setHeaders({ video: Buffer.alloc(50, 0x17), hasVideo: true, hasAudio: false });
  writer.setState('publishing');
  return everyTag((timestamp, keyFrame, body) => {
    writer.append({ type: 9, timestamp, keyFrame, body: [body] });
  });
}
