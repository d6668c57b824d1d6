import { readFileSync } from 'node:fs';
import { BLOCK_SIZE } from '../../src/base/block.js';
import { EdgeError } from '../../src/base/errors.js';
import { Lru } from '../../src/base/lru.js';
import { Flv } from '../../src/media/flv/flv.js';
import { FragmentedMp4 } from '../../src/media/fmp4/fragmented-mp4.js';
import { ProgressiveMp4 } from '../../src/media/mp4/progressive.js';
import type { VirtualFile } from '../../src/virtual-file/virtual-file.js';
import { contentAt, fillContent } from '../support/content.js';
import type { FaultOrigin } from '../support/fault-origin.js';
import { QueryPlanner } from '../support/query-planner.js';
import { MemorySource, mediaObject, render } from '../support/virtual.js';
import type { Random } from './random.js';

/** Versions that a path goes through, over and over: what was cached of one comes back when its turn comes again. */
const VERSIONS = 4;
/** Bytes of content and of rendered seeks that are kept for comparison. */
const KEPT = 192 * 2 ** 20;

/** What an answer that bears a certain entity tag must consist of. */
export interface Expected {
  readonly size: number;
  /** Bytes `[from, to)`. */
  read(from: number, to: number): Uint8Array;
}

/** The right answers to a path and query: the edge may be at any version, and says at which. */
export interface Answers {
  readonly byEtag: ReadonlyMap<string, Expected>;
  /** Statuses, other than those of success, that are right in some version. */
  readonly statuses: ReadonlySet<number>;
}

/** A path of the origin. */
export interface Title {
  readonly path: string;
  /** Bytes of each version. */
  readonly sizes: readonly number[];
  /** Each version's bytes when they are given; films of a function's content have none. */
  readonly clips: readonly Buffer[] | undefined;
  /** Seconds for which the origin says that it is fresh. */
  readonly maxAge: number;
  version: number;
  /** When its version was replaced last, by `performance.now`. */
  changed: number;
}

/** All files of a run in all their versions, and what the edge must answer to any question about them. */
export class Library {
  readonly films: readonly Title[];
  readonly clips: readonly Title[];
  readonly #origin: FaultOrigin;
  readonly #planner = new QueryPlanner({
    formats: [
      new ProgressiveMp4({ seek: 'keyframe', maxMoov: 256 * 2 ** 20 }),
      new FragmentedMp4(),
      new Flv({ start: 'auto', timestamps: 'kept' }),
    ],
    indexMemory: 64 * 2 ** 20,
  });
  readonly #answers = new Map<string, Promise<Answers>>();
  readonly #kept = new Lru<Buffer>(KEPT);

  /**
   * Puts all files on the origin.
   * @param options `films` of `filmSize` bytes each, and `long`, a clip of several blocks
   */
  constructor(origin: FaultOrigin, { films, filmSize, long }: { films: number; filmSize: number; long: string }) {
    this.#origin = origin;
    this.films = Array.from({ length: films }, (_, i) => ({
      path: `/films/${i}.mp4`,
      sizes: Array.from({ length: VERSIONS }, (_, version) => filmSize + version * 4099),
      clips: undefined,
      maxAge: i % 2 === 0 ? 1 : 3600,
      version: 0,
      changed: Number.NEGATIVE_INFINITY,
    }));
    const sample = (name: string) => readFileSync(new URL(`../../src/samples/${name}`, import.meta.url));
    const movies = [
      readFileSync(long),
      ...['bframes-faststart', 'bframes-moov-last', 'long-gop', 'fragmented'].map(name => sample(`${name}.mp4`)),
    ];
    const flvs = ['keyframes', 'plain'].map(name => sample(`${name}.flv`));
    this.clips = Array.from({ length: 10 }, (_, i) => {
      const [kind, sources] = i % 5 === 4 ? ['flv', flvs] : ['mp4', movies];
      const clips = Array.from({ length: VERSIONS }, (_, version) => sources[(i + version) % sources.length]!);
      return {
        path: `/clips/${i}.${kind}`,
        sizes: clips.map(({ length }) => length),
        clips,
        maxAge: i % 2 === 0 ? 1 : 3600,
        version: 0,
        changed: Number.NEGATIVE_INFINITY,
      };
    });
    for (const title of this.titles) this.#put(title);
  }

  get titles(): readonly Title[] {
    return [...this.films, ...this.clips];
  }

  /** Puts the next version of a file in the place of the one that is there. */
  change(title: Title): void {
    title.version = (title.version + 1) % VERSIONS;
    title.changed = performance.now();
    this.#put(title);
  }

  /** What a path and a query of `start=SECONDS`, or an empty one, are answered with. */
  answers(title: Title, query: string): Promise<Answers> {
    const key = `${title.path}?${query}`;
    let answers = this.#answers.get(key);
    if (answers === undefined) {
      answers = this.#learn(title, query);
      this.#answers.set(key, answers);
    }
    return answers;
  }

  /**
   * Where bytes of an unknown place are from: looks for the first sixteen among all contents at the same offset and at
   * all starts of blocks.
   */
  origins(bytes: Uint8Array, offset: number): string {
    const wanted = Buffer.from(bytes.subarray(0, 16));
    for (const title of this.titles) {
      for (let version = 0; version < VERSIONS; version++) {
        const size = title.sizes[version]!;
        for (let at = offset % BLOCK_SIZE; at < size; at += BLOCK_SIZE) {
          if (wanted.equals(this.#raw(title, version, at, at + wanted.length)))
            return `they are bytes ${at} of ${title.path} (v${version})`;
        }
      }
    }
    return 'they are of no file at such a place';
  }

  #put({ path, version, sizes, clips, maxAge }: Title): void {
    const headers = { 'Cache-Control': `max-age=${maxAge}` };
    const content = clips === undefined ? { size: sizes[version]! } : { bytes: clips[version]! };
    this.#origin.put(path, { ...content, version: `v${version}`, headers });
  }

  async #learn(title: Title, query: string): Promise<Answers> {
    const byEtag = new Map<string, Expected>();
    const statuses = new Set<number>();
    for (let version = 0; version < VERSIONS; version++) {
      const size = title.sizes[version]!;
      const etag = `"v${version}-${size}"`;
      const plain = { size, read: (from: number, to: number) => this.#stored(title, version, from, to) };
      if (query === '') {
        byEtag.set(etag, plain);
        continue;
      }
      try {
        const clip = title.clips![version]!;
        const object = mediaObject(new MemorySource(clip), { identity: `${title.path} ${version}`, etag });
        const start = new URLSearchParams(query).get('start') ?? undefined;
        const file = await this.#planner.plan(object, { start, end: undefined });
        if (file === undefined) byEtag.set(etag, plain);
        else byEtag.set(file.etag, this.#cut(`${title.path} ${version} ${file.etag}`, file, clip));
      } catch (error) {
        if (!(error instanceof EdgeError)) throw error;
        statuses.add(error.status);
      }
    }
    return { byEtag, statuses };
  }

  #cut(key: string, file: VirtualFile, clip: Buffer): Expected {
    const bytes = () => {
      let whole = this.#kept.get(key);
      if (whole === undefined) {
        whole = render(file, clip);
        this.#kept.set(key, whole, whole.length);
      }
      return whole;
    };
    return { size: file.size, read: (from, to) => bytes().subarray(from, to) };
  }

  #raw({ path, clips }: Title, version: number, from: number, to: number): Buffer {
    return clips?.[version]?.subarray(from, to) ?? contentAt(path, `v${version}`, from, to);
  }

  /** Bytes of a version, by blocks that are kept, because many players watch the same. */
  #stored(title: Title, version: number, from: number, to: number): Uint8Array {
    if (title.clips !== undefined) return title.clips[version]!.subarray(from, to);
    const block = Math.floor(from / BLOCK_SIZE);
    const start = block * BLOCK_SIZE;
    if (to > start + BLOCK_SIZE) {
      const head = this.#stored(title, version, from, start + BLOCK_SIZE);
      return Buffer.concat([head, this.#stored(title, version, start + BLOCK_SIZE, to)]);
    }
    const key = `${title.path} ${version} ${block}`;
    let bytes = this.#kept.get(key);
    if (bytes === undefined) {
      bytes = Buffer.allocUnsafeSlow(BLOCK_SIZE);
      fillContent(bytes, title.path, `v${version}`, start);
      this.#kept.set(key, bytes, BLOCK_SIZE);
    }
    return bytes.subarray(from - start, to - start);
  }
}

/** Queries that seek into a clip: few enough that several players share each. */
export function seekQuery(random: Random): string {
  return `start=${random.chance(0.9) ? random.integer(0, 24) * 1.5 : random.integer(36, 240)}`;
}
