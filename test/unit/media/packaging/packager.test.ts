import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EdgeError } from '../../../../src/base/errors.js';
import { decodePackage, encodePackage } from '../../../../src/media/packaging/package-bytes.js';
import { segmentationKey } from '../../../../src/media/packaging/packager.js';
import type { IndexStore } from '../../../../src/media/seek/media.js';
import { build } from '../../../support/mp4/build.js';
import { type ModelMovie, movies } from '../../../support/mp4/model.js';
import { withCodecs } from '../../../support/mp4/sample-entries.js';
import { makePackager } from '../../../support/package-of.js';
import { MemorySource, mediaObject } from '../../../support/virtual.js';

const [drawn] = fc.sample(
  movies(200).filter(({ tracks }) => tracks[0]!.handler === 'vide' && tracks[0]!.edits.length < 2),
  { seed: 5, numRuns: 1 },
);
const movie: ModelMovie = {
  ...drawn!,
  tracks: drawn!.tracks.map(track => ({ ...track, descriptions: track.descriptions.map(() => 1) })),
};
const film = withCodecs(build(movie));
const CUT = { target: 1, shortest: 0.5 };

class MapStore implements IndexStore {
  readonly map = new Map<string, Uint8Array>();

  get(identity: string, kind: string): Uint8Array | undefined {
    return this.map.get(`${identity} ${kind}`);
  }

  put(identity: string, kind: string, bytes: Uint8Array): void {
    this.map.set(`${identity} ${kind}`, bytes);
  }
}

describe('the packager', () => {
  it('answers at once what it knows', async () => {
    const edge = makePackager();
    const object = mediaObject(new MemorySource(film));
    const pack = await edge.package(object, CUT);
    assert.equal(edge.package(object, { ...CUT }), pack);
    assert.equal(edge.stats.compiled, 1);
    assert.ok(edge.bytes > 500);
  });

  it('looks once at a film that many ask for', async () => {
    const edge = makePackager();
    const asked = Array.from({ length: 20 }, () => edge.package(mediaObject(new MemorySource(film, true)), CUT));
    const packs = await Promise.all(asked);
    assert.equal(new Set(packs).size, 1);
    assert.equal(edge.stats.compiled, 1);
  });

  it('takes from the store what another process learnt, and what was damaged there it makes anew', async () => {
    const store = new MapStore();
    const object = mediaObject(new MemorySource(film));
    const pack = await makePackager({ store }).package(object, CUT);
    const second = makePackager({ store });
    assert.deepEqual(await second.package(object, CUT), pack);
    assert.deepEqual({ ...second.stats }, { compiled: 0, restored: 1, refused: 0 });
    for (const bytes of store.map.values()) bytes[bytes.length - 1]! ^= 1;
    const third = makePackager({ store });
    assert.deepEqual(await third.package(object, CUT), pack);
    assert.equal(third.stats.compiled, 1);
  });

  it('stores neither clips nor what is cut for a set, of which there may be any number', async () => {
    const store = new MapStore();
    const edge = makePackager({ store });
    const object = mediaObject(new MemorySource(film));
    await edge.package(object, { ...CUT, start: 0, end: 0.5 });
    await edge.package(object, { ...CUT, boundaries: Float64Array.of(0.5) });
    assert.deepEqual(
      [...store.map.keys()].filter(key => key.includes('package')),
      [],
    );
  });

  it('remembers why a file can not be packaged', async () => {
    const store = new MapStore();
    const encrypted = Buffer.from(film);
    for (let at = encrypted.indexOf('avc1'); at >= 0; at = encrypted.indexOf('avc1')) encrypted.write('encv', at);
    const refusal = { code: 'unplayable', message: /can't package this file: .*encrypted/ };
    for (const refused of [1, 0]) {
      const edge = makePackager({ store });
      const source = new MemorySource(encrypted);
      await assert.rejects(async () => edge.package(mediaObject(source), CUT), refusal);
      const { reads } = source;
      await assert.rejects(async () => edge.package(mediaObject(source), CUT), refusal);
      assert.equal(source.reads, reads);
      assert.deepEqual({ ...edge.stats }, { compiled: 0, restored: 1 - refused, refused });
    }
  });

  it('passes on what the origin says, and tries again', async () => {
    const edge = makePackager();
    let down = true;
    const source = new MemorySource(film);
    const failing = {
      size: film.length,
      read(offset: number, length: number) {
        if (down && offset > 100) return Promise.reject(new EdgeError('origin_unavailable', 'the origin is down'));
        return source.read(offset, length);
      },
    };
    await assert.rejects(async () => edge.package(mediaObject(failing), CUT), { code: 'origin_unavailable' });
    down = false;
    assert.ok((await edge.package(mediaObject(failing), CUT)).tracks.length > 0);
  });

  it('refuses what is no MP4', async () => {
    const text = mediaObject(new MemorySource(Buffer.from('FLV\u0001 and then nothing that anybody could play')));
    await assert.rejects(async () => makePackager().package(text, CUT), { code: 'unplayable' });
  });

  it('tells cuts apart by all that is in them', () => {
    const cuts = [
      CUT,
      { ...CUT, target: 2 },
      { ...CUT, shortest: 0.25 },
      { ...CUT, start: 1 },
      { ...CUT, end: 1 },
      { ...CUT, boundaries: Float64Array.of(1, 2) },
      { ...CUT, boundaries: Float64Array.of(1, 3) },
    ];
    assert.equal(new Set(cuts.map(segmentationKey)).size, cuts.length);
    assert.equal(segmentationKey({ ...cuts[5]!, boundaries: Float64Array.of(1, 2) }), segmentationKey(cuts[5]!));
  });
});

describe('a stored package', () => {
  it('is taken for one, whatever bytes it is made of, only if it can be used', async () => {
    const pack = await makePackager().package(mediaObject(new MemorySource(film)), CUT);
    const encoded = encodePackage(pack);
    assert.deepEqual(decodePackage(encoded, film.length), pack);
    assert.equal(decodePackage(encoded, film.length + 1), undefined);
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, bits, cutOff) => {
        const bytes = cutOff ? encoded.slice(0, at) : encoded.slice();
        if (!cutOff) bytes[at]! ^= bits;
        const decoded = decodePackage(bytes, film.length);
        for (const { segments } of decoded?.tracks ?? []) {
          for (let row = 0; row < segments.count; row++) {
            assert.ok(segments.samples[row + 1]! > segments.samples[row]!);
            assert.ok(segments.begins[row + 1]! > segments.begins[row]!);
            assert.ok(segments.bytes[row + 1]! >= segments.bytes[row]!);
          }
        }
      }),
    );
  });
});
