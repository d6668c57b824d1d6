/**
 * What a hop costs: CPU time of the edges per GB that a player gets by way of another edge, over that of a hit at the
 * owner. Two edges and their storage on loopback; the film is cached whole by its owner before anything is measured.
 * Beside it what a hop costs where nothing is done but to pass bytes on (support/hop-floor.cc): what is above that is
 * the product's, what is above a local hit is TCP's, which carries each request and each answer once more.
 *
 *   npm run bench -- cluster-hop [--rounds N]
 */
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { ClusterNode, ClusterState } from '../src/cluster/cluster-state.js';
import { partitionOf } from '../src/cluster/map/partition-of.js';
import { FaultOrigin } from '../test/support/fault-origin.js';
import { type Report, type Row, Sample } from './support/report.js';

const SIZE = 100 * 1024 * 1024;
const PATH = '/film.mp4';
const PARTITIONS = 16;
const CONNECTIONS = 4;

/** A process that answers. */
interface Server {
  readonly port: number;
  /** Seconds of processor time since it began. */
  cpu(): Promise<number>;
  end(): void;
}

interface Edge extends Server {
  readonly child: ChildProcess;
  readonly peerPort: number;
}

const reply = <T>(child: ChildProcess) => new Promise<T>(resolve => child.once('message', resolve as never));

async function startEdge(id: string, storage: string, folder: string): Promise<Edge> {
  const file = fileURLToPath(new URL('support/hop-edge.ts', import.meta.url));
  const child = fork(file, [id, storage, folder], { execArgv: ['--import', 'tsx'] });
  const cpu = async () => {
    const answer = reply<{ cpu: NodeJS.CpuUsage }>(child);
    child.send({});
    const { user, system } = (await answer).cpu;
    return (user + system) / 1e6;
  };
  return { child, cpu, end: () => child.disconnect(), ...(await reply<{ port: number; peerPort: number }>(child)) };
}

/** Starts the program that does the least. */
async function startFloor(program: string, ...args: string[]): Promise<Server> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const line = async () => Number(String((await once(child.stdout, 'data'))[0]));
  const cpu = () => {
    child.stdin.write('\n');
    return line();
  };
  return { port: await line(), cpu, end: () => child.stdin.end() };
}

/** Reads so many answers on one connection; returns the bytes of their bodies. */
function read(port: number, range: number, count: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1');
    let total = 0;
    let left = 0;
    let head = '';
    const ask = () => {
      const from = Math.floor(Math.random() * (SIZE / range)) * range;
      const field = range === SIZE ? '' : `Range: bytes=${from}-${from + range - 1}\r\n`;
      socket.write(`GET ${PATH} HTTP/1.1\r\nHost: edge\r\n${field}\r\n`);
    };
    socket.on('connect', ask);
    socket.on('error', reject);
    socket.on('data', chunk => {
      let body = chunk.length;
      if (left === 0) {
        head += chunk.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        if (!/^HTTP\/1.1 20[06]/.test(head)) reject(new Error(head.slice(0, 200)));
        left = Number(/content-length: (\d+)/i.exec(head)?.[1]);
        body = head.length - end - 4;
        head = '';
      }
      left -= body;
      total += body;
      if (left > 0) return;
      if (--count > 0) ask();
      else {
        socket.destroy();
        resolve(total);
      }
    });
  });
}

/** CPU seconds of `servers` for reading `count` answers at `port`, per GB. */
async function measure(servers: readonly Server[], port: number, range: number, count: number): Promise<number> {
  const cpu = async () => (await Promise.all(servers.map(server => server.cpu()))).reduce((sum, one) => sum + one, 0);
  const before = await cpu();
  const each = Math.ceil(count / CONNECTIONS);
  const bytes = await Promise.all(Array.from({ length: CONNECTIONS }, () => read(port, range, each)));
  const used = (await cpu()) - before;
  return used / (bytes.reduce((sum, one) => sum + one, 0) / 1e9);
}

/** What it costs to read at the owner, by way of another, and the ratio of both. */
async function contest(owner: Server, other: Server, range: number, count: number, rounds: number): Promise<Sample[]> {
  const servers = [owner, other];
  // What runs first is compiled, and pages are touched.
  await measure(servers, owner.port, range, count);
  await measure(servers, other.port, range, count);
  const local: number[] = [];
  const hop: number[] = [];
  for (let round = 0; round < rounds; round++) {
    local.push(await measure(servers, owner.port, range, count));
    hop.push(await measure(servers, other.port, range, count));
  }
  const ratios = hop.map((each, at) => each / local[at]!);
  return [new Sample(local.map(s => s * 1000)), new Sample(hop.map(s => s * 1000)), new Sample(ratios)];
}

/** Runs the benchmark. */
export async function run(args: readonly string[]): Promise<Report> {
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: 'string', default: '3' } },
    strict: false,
  });
  const rounds = Number(values.rounds);
  const folder = mkdtempSync('/dev/shm/moovedge-bench-');
  const program = join(folder, 'hop-floor');
  const source = fileURLToPath(new URL('support/hop-floor.cc', import.meta.url));
  execFileSync('g++', ['-O2', '-std=c++17', source, '-o', program]);
  const storage = await FaultOrigin.start();
  storage.put(PATH, { size: SIZE });
  const edges = [await startEdge('a', storage.url, folder), await startEdge('b', storage.url, folder)] as const;
  const floor = await startFloor(program, 'serve', String(SIZE));
  const relay = await startFloor(program, 'relay', String(floor.port));
  try {
    await tell(edges);
    const owner = edges[partitionOf(PATH, PARTITIONS) % 2]!;
    const other = edges.find(edge => edge !== owner)!;
    await read(owner.port, SIZE, 1);
    const rows: Row[] = [];
    for (const [name, range, count] of [
      ['ranges of 256 KiB', 256 * 1024, 4000],
      ['whole, 100 MiB', SIZE, 12],
      ['ranges of 4 KiB', 4096, 8000],
    ] as const) {
      rows.push({ name, values: await contest(owner, other, range, count, rounds) });
      const least = await contest(floor, relay, range, count, rounds);
      rows.push({ name: '  where bytes are only passed on', values: least });
    }
    const columns = [
      { title: 'at the owner, ms CPU per GB' },
      { title: 'by way of another edge' },
      { title: 'ratio', digits: 2 },
    ];
    return { title: 'A hop by way of another edge', notes: [], tables: [{ title: 'CPU of all edges', columns, rows }] };
  } finally {
    for (const server of [...edges, floor, relay]) server.end();
    await storage.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function tell(edges: readonly Edge[]): Promise<void> {
  const nodes = edges.map(({ peerPort: port }, at): ClusterNode => {
    return { id: 'ab'[at]!, zone: 'z', weight: 1, host: '127.0.0.1', port, url: undefined, state: 'up', share: 1 };
  });
  const map = Array.from({ length: PARTITIONS }, (_, at) => [at % 2, 1 - (at % 2)]);
  for (const [at, { child }] of edges.entries()) {
    const self = 'ab'[at]!;
    const state: ClusterState = { epoch: 1, self, nodes, map, previousOwners: map.map(() => -1), otherZones: [] };
    const taken = reply(child);
    child.send({ state });
    await taken;
  }
}
