/**
 * What a hop costs: CPU time of the edges per GB that a player gets by way of another edge, over that of a hit at the
 * owner. Two edges and their storage on loopback; the film is cached whole by its owner before anything is measured.
 *
 *   npm run bench -- cluster-hop [--rounds N]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { ClusterNode, ClusterState } from '../src/cluster/cluster-state.js';
import { partitionOf } from '../src/cluster/map/partition-of.js';
import { FaultOrigin } from '../test/support/fault-origin.js';
import { type Report, Sample } from './support/report.js';

const SIZE = 100 * 1024 * 1024;
const PATH = '/film.mp4';
const PARTITIONS = 16;
const CONNECTIONS = 4;

interface Edge {
  readonly child: ChildProcess;
  readonly port: number;
  readonly peerPort: number;
}

const reply = <T>(child: ChildProcess) => new Promise<T>(resolve => child.once('message', resolve as never));

async function startEdge(id: string, storage: string, folder: string): Promise<Edge> {
  const file = fileURLToPath(new URL('support/hop-edge.ts', import.meta.url));
  const child = fork(file, [id, storage, folder], { execArgv: ['--import', 'tsx'] });
  return { child, ...(await reply<{ port: number; peerPort: number }>(child)) };
}

/** CPU seconds of edges since they began. */
async function cpuOf(edges: readonly Edge[]): Promise<number> {
  let sum = 0;
  for (const { child } of edges) {
    const answer = reply<{ cpu: NodeJS.CpuUsage }>(child);
    child.send({});
    const { user, system } = (await answer).cpu;
    sum += (user + system) / 1e6;
  }
  return sum;
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

/** CPU seconds of `edges` for reading `count` answers, per GB. */
async function measure(edges: readonly Edge[], port: number, range: number, count: number): Promise<number> {
  const before = await cpuOf(edges);
  const each = Math.ceil(count / CONNECTIONS);
  const bytes = await Promise.all(Array.from({ length: CONNECTIONS }, () => read(port, range, each)));
  const used = (await cpuOf(edges)) - before;
  return used / (bytes.reduce((sum, one) => sum + one, 0) / 1e9);
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
  const storage = await FaultOrigin.start();
  storage.put(PATH, { size: SIZE });
  const edges = [await startEdge('a', storage.url, folder), await startEdge('b', storage.url, folder)] as const;
  try {
    await tell(edges);
    const owner = edges[partitionOf(PATH, PARTITIONS) % 2]!;
    const other = edges.find(edge => edge !== owner)!;
    await read(owner.port, SIZE, 1);
    const rows = [];
    for (const [name, range, count] of [
      ['ranges of 256 KiB', 256 * 1024, 4000],
      ['whole, 100 MiB', SIZE, 12],
      ['ranges of 4 KiB', 4096, 8000],
    ] as const) {
      // What runs first is compiled, and pages are touched.
      await measure(edges, owner.port, range, count);
      await measure(edges, other.port, range, count);
      const local: number[] = [];
      const hop: number[] = [];
      for (let round = 0; round < rounds; round++) {
        local.push(await measure(edges, owner.port, range, count));
        hop.push(await measure(edges, other.port, range, count));
      }
      const ratios = hop.map((each, at) => each / local[at]!);
      rows.push({
        name,
        values: [new Sample(local.map(s => s * 1000)), new Sample(hop.map(s => s * 1000)), new Sample(ratios)],
      });
    }
    const columns = [
      { title: 'at the owner, ms CPU per GB' },
      { title: 'by way of another edge' },
      { title: 'ratio', digits: 2 },
    ];
    return { title: 'A hop by way of another edge', notes: [], tables: [{ title: 'CPU of all edges', columns, rows }] };
  } finally {
    for (const { child } of edges) child.disconnect();
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
