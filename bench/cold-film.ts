import { join } from 'node:path';
import { EDGE, startContestants } from './support/contest.js';
import { startEdge } from './support/edge.js';
import { runFolder } from './support/folder.js';
import { startNginx } from './support/nginx.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { benchOptions } from './support/options.js';
import { type Report, type ResultTable, Sample } from './support/report.js';
import { onClientCore, type Server } from './support/server.js';
import { Viewer } from './support/viewer.js';

const MIB = 1024 * 1024;
const BLOCK = 256 * 1024;
const CACHE_SIZE = 1024 * MIB;
const WORKERS = 2;

/** What viewer number `i` of `count` asks for: a range or the whole film, and after how many bytes it leaves. */
interface Part {
  readonly range?: string;
  readonly start: number;
  readonly most: number;
}

/** A way of watching a film of `size` MiB. */
interface Way {
  readonly title: string;
  readonly size: number;
  part(i: number): Part;
}

const WAYS: readonly Way[] = [
  { title: 'all watch all of it', size: 8, part: () => ({ start: 0, most: 8 * MIB }) },
  {
    title: 'each asks for 1 MiB somewhere',
    size: 256,
    part: i => {
      const start = ((i * 37) % 255) * MIB;
      return { range: `bytes=${start}-${start + MIB - 1}`, start, most: MIB };
    },
  },
  // Nobody says that it will leave: what was fetched ahead of the last one is for nobody.
  { title: 'each leaves within 8 MiB', size: 64, part: i => ({ start: 0, most: (1 + (i % 31)) * BLOCK }) },
];

/** What one showing of a film came to. */
interface Showing {
  /** Requests to the origin, and bytes that it sent in proportion to the blocks that were watched. */
  readonly requests: number;
  readonly share: number;
  /**
   * Milliseconds from the first byte that the origin sends from where a viewer begins, or from a later request, to the
   * viewer's first byte.
   */
  readonly delays: Sample;
  readonly seconds: number;
}

/**
 * `--viewers` open at once a film that is in no cache, on an edge of two workers: what the origin must send, and how
 * soon each viewer has its first byte. The origin takes `--latency` milliseconds to answer, and runs in the viewers'
 * process, so that there is one clock.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { viewers: '500', latency: '20' });
  const viewers = Number(options.rest.viewers);
  const folder = runFolder(4 * CACHE_SIZE);
  let requests = 0;
  /** When the origin wrote the first byte of its answers, by where they start. */
  const began = new Map<number, number>();
  const origin = await startNoiseOrigin((_, start) => {
    requests++;
    if (!began.has(start)) began.set(start, performance.now());
  }, Number(options.rest.latency));
  const slice = {
    kind: 'slice',
    origin: origin.url,
    folder: join(folder, 'slices'),
    sliceSize: BLOCK,
    cacheSize: CACHE_SIZE,
    lock: true,
  } as const;
  const { servers, notes } = await startContestants(
    [
      {
        name: EDGE,
        isPeer: false,
        start: () => startEdge({ origin: origin.url, folder, memory: '1GiB', workers: WORKERS }),
      },
      {
        name: 'nginx slice, lock',
        start: () => startNginx('nginx slice, lock', join(folder, 'slice'), slice, { workers: WORKERS }),
      },
    ],
    options,
  );

  let films = 0;
  const show = async (server: Server, way: Way): Promise<Showing> => {
    const path = `/${way.size}/${films++}.mp4`;
    const audience = await Promise.all(Array.from({ length: viewers }, () => Viewer.connect(server.port)));
    const parts = audience.map((_, i) => way.part(i));
    const sentBefore = origin.bytes();
    requests = 0;
    began.clear();
    const begin = performance.now();
    const viewings = await Promise.all(
      audience.map((viewer, i) => viewer.watch(path, parts[i]!.range, parts[i]!.most)),
    );
    const seconds = (performance.now() - begin) / 1000;
    for (const viewer of audience) viewer.leave();
    // What nobody wants any more comes to an end.
    for (let bytes = -1; bytes !== origin.bytes(); ) {
      bytes = origin.bytes();
      await new Promise(resolve => setTimeout(resolve, 200));
    }
    return {
      requests,
      share: (origin.bytes() - sentBefore) / (watchedBlocks(parts) * BLOCK),
      delays: new Sample(
        viewings.map(({ asked, first }, i) => first - Math.max(asked, began.get(parts[i]!.start) ?? Number.NaN)),
      ),
      seconds,
    };
  };

  const tables: ResultTable[] = [];
  await onClientCore(async () => {
    for (const way of WAYS) {
      const showings = new Map(servers.map(server => [server, [] as Showing[]]));
      for (let round = 0; round < options.rounds; round++) {
        for (const server of servers) showings.get(server)!.push(await show(server, way));
      }
      tables.push(table(way.title, showings));
    }
  });
  origin.close();
  return { title: `${viewers} viewers open a cold film at once, ${WORKERS} workers`, tables, notes };
}

/** Blocks that somebody has read a byte of. */
function watchedBlocks(parts: readonly Part[]): number {
  const blocks = new Set<number>();
  for (const { start, most } of parts) {
    for (let block = Math.floor(start / BLOCK); block * BLOCK < start + most; block++) blocks.add(block);
  }
  return blocks.size;
}

function table(title: string, showings: ReadonlyMap<Server, readonly Showing[]>): ResultTable {
  const digits = 2;
  return {
    title,
    columns: [
      { title: 'origin bytes to watched', digits: 3 },
      { title: 'origin requests' },
      { title: 'after origin: first ms', digits },
      { title: 'p50 ms', digits },
      { title: 'p99 ms', digits },
      { title: 'seconds', digits },
    ],
    rows: Array.from(showings, ([{ name }, all]) => ({
      name,
      values: [
        new Sample(all.map(({ share }) => share)),
        new Sample(all.map(showing => showing.requests)),
        new Sample(all.map(({ delays }) => delays.least)),
        new Sample(all.map(({ delays }) => delays.median)),
        new Sample(all.map(({ delays }) => delays.quantile(0.99))),
        new Sample(all.map(showing => showing.seconds)),
      ],
    })),
  };
}
