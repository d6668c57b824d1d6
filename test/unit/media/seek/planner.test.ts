import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ByteSource } from '../../../../src/base/byte-source.js';
import { EdgeError } from '../../../../src/base/errors.js';
import { Flv } from '../../../../src/media/flv/flv.js';
import { ProgressiveMp4 } from '../../../../src/media/mp4/progressive.js';
import type { Format } from '../../../../src/media/seek/format.js';
import type { IndexStore } from '../../../../src/media/seek/media.js';
import { makeFlv, type TestTag, video } from '../../../support/flv.js';
import { build } from '../../../support/mp4/build.js';
import { movies } from '../../../support/mp4/model.js';
import { parseMovie } from '../../../support/mp4/parse.js';
import { QueryPlanner } from '../../../support/query-planner.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';

const [sample] = fc.sample(movies(200), { seed: 3, numRuns: 1 });
const film = build({ ...sample!, movie: 'last' });
/** Pictures of 20 ms, of which each tenth is a key frame. */
const pictures = Array.from({ length: 200 }, (_, i) => {
  return { delta: 20, offset: 0, sync: i % 10 === 0, size: 3, depends: 0, group: 0, parts: [], auxiliary: 0 };
});
const [shape] = sample!.tracks;
const keyed = build({
  ...sample!,
  tracks: [
    {
      ...shape!,
      handler: 'vide',
      timescale: 1000,
      samples: pictures,
      chunks: [pictures.length],
      descriptions: [1],
      edits: [],
      form: { ...shape!.form, stss: true, ctts: false, sizeBits: 32, auxiliary: 'none', subs: false, quirk: 'none' },
    },
  ],
});
const tags: TestTag[] = [{ type: 9, timestamp: 0, data: video('config', 10, 1), config: 'video' }];
for (let i = 0; i < 20; i++) {
  tags.push({ type: 9, timestamp: i * 200, data: video(i % 5 === 0 ? 'key' : 'inter', 40, i), key: i % 5 === 0 });
}
const middle = { start: '0.05', end: undefined };
const none = { start: undefined, end: undefined };

function planner(fields: Partial<ConstructorParameters<typeof QueryPlanner>[0]> = {}): QueryPlanner {
  const formats = [new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 24 })];
  return new QueryPlanner({ formats, indexMemory: 1 << 20, ...fields });
}

/** What a planner makes of a seek: the file and its bytes, or the code of an error. */
function told(edge: QueryPlanner, bytes: Uint8Array, start: number, end?: number) {
  try {
    const text = end === undefined ? undefined : end.toFixed(3);
    const file = edge.plan(mediaObject(new MemorySource(bytes)), { start: start.toFixed(3), end: text });
    assert.ok(!(file instanceof Promise));
    return file && { ...file, spans: [], bytes: render(file, bytes) };
  } catch (error) {
    return (error as EdgeError).code;
  }
}

class MapStore implements IndexStore {
  readonly map = new Map<string, Uint8Array>();

  get(identity: string, kind: string): Uint8Array | undefined {
    return this.map.get(`${identity} ${kind}`);
  }

  put(identity: string, kind: string, bytes: Uint8Array): void {
    this.map.set(`${identity} ${kind}`, bytes);
  }
}

/** A source that fails as an origin does. */
class FailingSource implements ByteSource {
  readonly size = film.length;

  read(): Promise<Uint8Array> {
    return Promise.reject(new EdgeError('origin_unavailable', 'the origin is down'));
  }
}

describe('the planner', () => {
  it('looks at nothing when nothing is asked for', () => {
    const source = new MemorySource(film);
    assert.equal(planner().plan(mediaObject(source), none), undefined);
    assert.equal(planner().plan(mediaObject(source), { start: 'undefined', end: '-1' }), undefined);
    assert.equal(source.reads, 0);
  });

  it('plans at once what is at hand, and makes no promise', async () => {
    const edge = planner();
    const source = new MemorySource(film);
    await edge.plan(mediaObject(source), middle);
    const file = edge.plan(mediaObject(source), middle);
    assert.ok(file !== undefined && !(file instanceof Promise));
    assert.deepEqual(parseMovie(render(file, film)).topLevel, ['ftyp', 'moov', 'mdat']);
    assert.equal(edge.stats.compiled, 1);
    assert.ok(edge.indexBytes > 1000);
  });

  it('compiles once for all who come at the same time', async () => {
    const edge = planner();
    const sources = Array.from({ length: 20 }, () => new MemorySource(film, true));
    const files = await Promise.all(sources.map(source => edge.plan(mediaObject(source), middle)));
    assert.equal(edge.stats.compiled, 1);
    assert.equal(new Set(files.map(file => file!.etag)).size, 1);
    assert.ok(sources.slice(1).every(source => source.bytesRead < sources[0]!.bytesRead));
  });

  it('tries again with the next source when the first one fails', async () => {
    const edge = planner();
    const good = new MemorySource(film, true);
    const [failed, ...others] = await Promise.allSettled([
      edge.plan(mediaObject(new FailingSource()), middle),
      edge.plan(mediaObject(good), middle),
      edge.plan(mediaObject(new MemorySource(film, true)), middle),
    ]);
    assert.equal(failed.status === 'rejected' && failed.reason.code, 'origin_unavailable');
    assert.ok(others.every(({ status }) => status === 'fulfilled'));
    assert.equal(edge.stats.compiled, 1);
  });

  it('remembers why a file can not be cut, and still gives the plain file', async () => {
    const edge = planner({ faststart: 'always' });
    const truncated = new MemorySource(film.slice(0, film.length - 500));
    await assert.rejects(async () => edge.plan(mediaObject(truncated), middle), { code: 'unplayable' });
    const { reads } = truncated;
    await assert.rejects(async () => edge.plan(mediaObject(truncated), middle), { code: 'unplayable' });
    assert.equal(truncated.reads, reads, 'nothing is read again');
    assert.equal(edge.stats.refused, 1);
    assert.equal(await edge.plan(mediaObject(truncated), none), undefined);
    assert.equal(await edge.plan(mediaObject(truncated), { start: '0', end: undefined }), undefined);
    assert.equal(await edge.plan(mediaObject(new FailingSource(), { identity: 'other' }), none), undefined);
  });

  it('answers a file that is no media with the plain file', async () => {
    const edge = planner();
    for (const bytes of [
      new Uint8Array(0),
      new Uint8Array(3),
      new TextEncoder().encode('<!doctype html>'.repeat(999)),
    ]) {
      const source = new MemorySource(bytes);
      const object = mediaObject(source, { identity: String(bytes.length) });
      assert.equal(await edge.plan(object, middle), undefined);
      const { reads } = source;
      assert.equal(await edge.plan(object, middle), undefined);
      assert.ok(source.reads <= 1 && source.reads === reads);
    }
  });

  it('moves the movie box to the front for start=0, and for all when told so', async () => {
    const front = build({ ...sample!, movie: 'first' });
    const first = mediaObject(new MemorySource(front), { identity: 'front' });
    const last = mediaObject(new MemorySource(film));
    const zero = { start: '0', end: undefined };
    for (const [faststart, query, moved] of [
      ['off', zero, true],
      ['off', none, false],
      ['always', none, true],
    ] as const) {
      const edge = planner({ faststart });
      const file = await edge.plan(last, query);
      assert.equal(file !== undefined, moved, `${faststart} ${query.start}`);
      // A player that sought is told where the answer begins.
      assert.equal(file?.seekActual, file && query.start !== undefined ? 0 : undefined);
      if (file !== undefined) assert.equal(parseMovie(render(file, film)).topLevel[1], 'moov');
      assert.equal(await edge.plan(first, query), undefined);
      assert.equal(await edge.plan(first, { start: undefined, end: '99999' }), undefined, 'all of it');
    }
  });

  it('does not compile what can not be moved for a plain request', async () => {
    const edge = planner({ faststart: 'always', formats: [new Flv({ start: 'auto', timestamps: 'kept' })] });
    const source = new MemorySource(makeFlv(tags, false).bytes);
    const object = mediaObject(source);
    assert.equal(await edge.plan(object, none), undefined);
    assert.equal(await edge.plan(object, none), undefined);
    assert.equal(source.reads, 1);
    assert.equal(edge.stats.compiled, 0);
    assert.ok((await edge.plan(object, { start: '1', end: undefined })) !== undefined);
    assert.equal(edge.stats.compiled, 1);
  });

  it('takes indexes from the store, and believes none that was tampered with', async () => {
    const store = new MapStore();
    const plain = planner({ store });
    const file = await plain.plan(mediaObject(new MemorySource(film)), middle);
    const [[key, bytes]] = [...store.map] as [[string, Uint8Array]];

    const restored = planner({ store });
    const source = new MemorySource(film);
    const again = await restored.plan(mediaObject(source), middle);
    assert.deepEqual(restored.stats, { compiled: 0, restored: 1, refused: 0 });
    assert.equal(again!.etag, file!.etag);
    assert.ok(source.bytesRead < film.length / 2);

    for (const broken of [
      bytes.slice(0, 20),
      bytes.slice(1),
      bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
      new Uint8Array(0),
    ]) {
      store.map.set(key, broken);
      const wary = planner({ store });
      const answer = await wary.plan(mediaObject(new MemorySource(film)), middle);
      assert.equal(wary.stats.compiled, 1);
      assert.ok(render(answer!, film).equals(render(file!, film)));
      assert.deepEqual(store.map.get(key), bytes, 'the store has a good one again');
    }
  });

  it('keeps to its memory', async () => {
    const edge = planner({ indexMemory: 10_000 });
    for (let i = 0; i < 30; i++)
      await edge.plan(mediaObject(new MemorySource(film), { identity: `film ${i}` }), middle);
    assert.ok(edge.indexBytes <= 10_000);
  });

  it('keeps the plan of a seek that is asked for again, as long as the object says the same', () => {
    const edge = planner();
    const source = new MemorySource(film);
    edge.plan(mediaObject(source), middle);
    assert.equal(edge.stats.compiled, 1);
    const first = edge.plan(mediaObject(source), middle);
    const { reads } = source;
    assert.equal(edge.plan(mediaObject(source), middle), first);
    assert.equal(source.reads, reads);
    const other = { start: '0.05', end: '0.3' };
    const changes = [
      { fields: {}, query: other },
      { fields: { identity: 'another film' }, query: middle },
      { fields: { etag: '"other"' }, query: middle },
      { fields: { lastModified: 86_400_000 }, query: middle },
      { fields: { contentType: 'video/quicktime' }, query: middle },
    ];
    for (const { fields, query } of changes) {
      const changed = edge.plan(mediaObject(source, fields), query);
      assert.notEqual(changed, first);
      assert.ok(changed !== undefined && !(changed instanceof Promise));
      if (fields.lastModified !== undefined) assert.equal(changed.lastModified, fields.lastModified);
      if (fields.contentType !== undefined) assert.equal(changed.contentType, fields.contentType);
    }
  });

  it('gives all seeks that begin at one frame the same plan, whichever was first', () => {
    const seconds = fc.double({ min: 0, max: 2, noNaN: true, noDefaultInfinity: true });
    const seeks = fc.array(fc.record({ start: seconds, end: fc.option(seconds, { nil: undefined }) }), {
      minLength: 2,
      maxLength: 12,
    });
    fc.assert(
      fc.property(movies(60), seeks, (movie, all) => {
        const bytes = build(movie);
        const edge = planner();
        for (const { start, end } of all)
          assert.deepEqual(told(edge, bytes, start, end), told(planner(), bytes, start, end));
      }),
      { numRuns: 60 },
    );
  });

  it('has the same plan from memory as from the film, wherever seeks begin and whatever is kept', () => {
    const starts = fc.array(fc.integer({ min: 0, max: 2500 }), { minLength: 20, maxLength: 60 });
    const memory = fc.constantFrom(1 << 20, 40_000);
    fc.assert(
      fc.property(movies(120), starts, memory, (movie, all, indexMemory) => {
        const bytes = build(movie);
        const edge = planner({ indexMemory });
        for (const start of all) {
          const here = told(edge, bytes, start / 1000);
          assert.deepEqual(here, told(planner(), bytes, start / 1000));
          const again = typeof here === 'object' ? here.seekActual : undefined;
          if (again !== undefined) assert.deepEqual(told(edge, bytes, again), told(planner(), bytes, again));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('looks into a film once for all seeks that follow one key frame', () => {
    const edge = planner();
    const source = new MemorySource(keyed);
    const plan = (start: string) => edge.plan(mediaObject(source), { start, end: undefined });
    const first = plan('0.05');
    const { reads } = source;
    for (let i = 10; i < 190; i++) assert.equal(plan(`0.${String(i).padStart(3, '0')}`), first);
    assert.equal(source.reads, reads);
    assert.notEqual(plan('0.45'), first);
  });

  it('plans once for many seeks between two key frames', () => {
    const edge = planner();
    const source = new MemorySource(film);
    const files = new Set<unknown>();
    for (let i = 0; i < 50; i++) files.add(edge.plan(mediaObject(source), { start: `0.0${50 + i}`, end: undefined }));
    assert.ok(files.size < 25, `${files.size} files`);
    const beginnings = new Set([...files].map(file => (file as { seekActual: number }).seekActual));
    assert.equal(files.size, beginnings.size);
  });

  it('says how long seeks took, also those that failed', async () => {
    const seen: number[] = [];
    const edge = planner({ observe: seconds => seen.push(seconds) });
    await edge.plan(mediaObject(new MemorySource(film, true)), middle);
    await edge.plan(mediaObject(new MemorySource(film)), middle);
    await edge.plan(mediaObject(new MemorySource(film)), none);
    await assert.rejects(
      async () => edge.plan(mediaObject(new MemorySource(film, true)), { start: '99999', end: undefined }),
      {
        code: 'range_not_satisfiable',
      },
    );
    assert.equal(seen.length, 3);
    assert.ok(seen.every(seconds => seconds >= 0 && seconds < 5));
  });

  it('remembers in the store what it refuses, as long as formats and limits are the same', async () => {
    const store = new MapStore();
    const broken = mediaObject(new MemorySource(Buffer.concat([film.subarray(0, 64), Buffer.alloc(64)])));
    const first = planner({ store });
    await assert.rejects(async () => first.plan(broken, middle), { code: 'unplayable' });
    const error = await Promise.resolve()
      .then(() => first.plan(broken, middle))
      .catch((refused: EdgeError) => refused);
    const later = planner({ store });
    const source = new MemorySource(new Uint8Array(0));
    await assert.rejects(async () => later.plan(mediaObject(source), middle), error as EdgeError);
    assert.equal(source.reads, 0);
    assert.deepEqual(later.stats, { compiled: 0, restored: 1, refused: 0 });
    const other = planner({ store, formats: [new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 23 })] });
    await assert.rejects(async () => other.plan(broken, middle), { code: 'unplayable' });
    assert.equal(other.stats.refused, 1);
    for (const key of store.map.keys()) store.map.set(key, Buffer.from('something else'));
    const damaged = planner({ store });
    await assert.rejects(async () => damaged.plan(broken, middle), { code: 'unplayable' });
    assert.equal(damaged.stats.refused, 1);
  });

  it('remembers a file of which one plan costs too much', async () => {
    const store = new MapStore();
    let compiled = 0;
    const endless: Format<unknown> = {
      name: 'endless-1',
      matches: () => true,
      compile: () => ++compiled,
      weight: () => 1,
      duration: () => 1,
      encode: () => new Uint8Array(1),
      decode: () => 1,
      plan: (_index, { source }) => {
        for (;;) source.read(0, 8);
      },
    };
    const edge = planner({ store, formats: [endless] });
    const object = mediaObject(new MemorySource(film));
    await assert.rejects(async () => edge.plan(object, middle), { code: 'media_too_large', status: 422 });
    const source = new MemorySource(film);
    await assert.rejects(async () => edge.plan(mediaObject(source), { ...middle, start: '9' }), {
      code: 'media_too_large',
    });
    assert.equal(source.reads, 0);
    await assert.rejects(async () => planner({ store, formats: [endless] }).plan(mediaObject(source), middle), {
      code: 'media_too_large',
    });
    assert.deepEqual([compiled, source.reads], [1, 0]);
  });
});
