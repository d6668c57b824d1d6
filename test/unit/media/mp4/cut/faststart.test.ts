import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ProgressiveMp4 } from '../../../../../src/media/mp4/progressive.js';
import { box, build } from '../../../../support/mp4/build.js';
import { movies } from '../../../../support/mp4/model.js';
import { parseMovie } from '../../../../support/mp4/parse.js';
import { MemorySource, mediaObject, render } from '../../../../support/virtual.js';

const format = new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 24 });

/** The whole file of a source as the format gives it; undefined when that is the plain file. */
async function whole(bytes: Uint8Array) {
  const source = new MemorySource(bytes);
  const index = (await format.compile(source))!;
  assert.deepEqual(format.decode(format.encode(index), bytes.length), index);
  const file = format.whole(index, mediaObject(source));
  return file && { file, bytes: render(file, bytes) };
}

describe('a movie box that stands last', () => {
  it('is moved to the front, and nothing else changes', async () => {
    await fc.assert(
      fc.asyncProperty(movies(60), async model => {
        const bytes = build(model);
        const moved = await whole(bytes);
        if (model.movie === 'first') {
          assert.equal(moved, undefined);
          return;
        }
        const [got, source] = [parseMovie(moved!.bytes), parseMovie(bytes)];
        assert.deepEqual(got.tracks, source.tracks);
        assert.deepEqual(got.topLevel, ['ftyp', 'moov', ...source.topLevel.filter(type => type === 'mdat')]);
        assert.equal(moved!.file.size, bytes.length);
        assert.equal(moved!.file.seekActual, undefined);
      }),
      { numRuns: 150 },
    );
  });

  it('keeps what stands around it, and a size of 0 becomes a number', async () => {
    // The movie box is about to be pushed back, so nothing may point into it.
    const outside = movies(20).filter(({ tracks }) => tracks.every(({ form }) => form.auxiliary !== 'movie'));
    const [model] = fc.sample(outside, { seed: 1, numRuns: 1 });
    const bytes = Buffer.from(build({ ...model!, movie: 'last', wideBoxes: false }));
    const moov = bytes.indexOf('moov') - 4;
    const extra = box('uuid', false, Buffer.alloc(20, 1));
    const trailer = box('free', false, Buffer.alloc(3));
    const between = Buffer.concat([bytes.subarray(0, moov), extra, bytes.subarray(moov), trailer]);
    const moved = (await whole(between))!;
    const types = parseMovie(moved.bytes).topLevel;
    assert.deepEqual(types, ['ftyp', 'moov', ...types.filter(type => type === 'mdat'), 'uuid', 'free']);
    assert.deepEqual(parseMovie(moved.bytes).tracks, parseMovie(between).tracks);

    const open = Buffer.from(bytes);
    open.writeUInt32BE(0, moov);
    assert.deepEqual(parseMovie((await whole(open))!.bytes).tracks, parseMovie(bytes).tracks);
  });

  it('stays where it is when other boxes hold offsets that are not known', async () => {
    const [model] = fc.sample(movies(20), { seed: 1, numRuns: 1 });
    const bytes = build({ ...model!, movie: 'last' });
    const iloc = box(
      'meta',
      false,
      Buffer.alloc(4),
      box('hdlr', false, Buffer.alloc(25)),
      box('iloc', false, Buffer.alloc(8)),
    );
    assert.equal(await whole(Buffer.concat([iloc, bytes])), undefined);
    const items = box('meta', false, Buffer.alloc(4), box('hdlr', false, Buffer.alloc(25)), box('ilst', false));
    assert.notEqual(
      await whole(Buffer.concat([build({ ...model!, movie: 'last' }).subarray(0, 28), items, bytes.subarray(28)])),
      undefined,
    );
  });
});
