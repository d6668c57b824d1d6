import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ByteSource } from '../../../../src/base/byte-source.js';
import { ProgressiveMp4 } from '../../../../src/media/mp4/progressive.js';
import { PATCH_OUTPUT_MAX, type PatchedSpan, source as sourceSpan } from '../../../../src/virtual-file/span.js';
import type { VirtualFile } from '../../../../src/virtual-file/virtual-file.js';
import { box, build } from '../../../support/mp4/build.js';
import { type ModelMovie, movies } from '../../../support/mp4/model.js';
import { type ParsedMovie, parseMoov } from '../../../support/mp4/parse.js';
import { stretch } from '../../../support/mp4/stretch.js';
import { cpuStopwatch } from '../../../support/stopwatch.js';
import { MemorySource, mediaObject } from '../../../support/virtual.js';

const GIB = 2 ** 30;
const format = new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 24 });
const format48 = new ProgressiveMp4({ seek: 'keyframe', maxMoov: 48 << 20 });

/** The file of a generated film with a picture and a sound track in one media box with a 64-bit size. */
function film(movie: ModelMovie['movie'], wideOffsets: boolean): Uint8Array {
  const usable = movies(300).filter(({ tracks }) => tracks[0]!.samples.length > 50 && tracks[0]!.chunks.length > 9);
  const [any] = fc.sample(usable, { seed: 7, numRuns: 1 });
  const tracks = (['vide', 'soun'] as const).map(handler => {
    const form = { ...any!.tracks[0]!.form, wideOffsets, auxiliary: 'chunks' as const };
    return { ...any!.tracks[0]!, handler, edits: [], form };
  });
  return build({ ...any!, tracks, movie, order: 'turns', mediaBoxes: 1, wideBoxes: true });
}

/** Bytes `[from, to)` of the virtual file over `source`. */
function readAnswer(file: VirtualFile, source: ByteSource, from: number, to: number): Buffer {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (const span of file.spans) {
    const [first, end] = [Math.max(from - start, 0), Math.min(to - start, span.length)];
    start += span.length;
    if (first >= end) continue;
    if (span.kind === 'literal') parts.push(span.bytes.subarray(first, end));
    else if (span.kind === 'source') parts.push(source.read(span.offset + first, end - first) as Uint8Array);
    else if (span.kind === 'patched') parts.push(...patched(span, source, first, end));
    else assert.fail(`a ${span.kind} span in a cut`);
  }
  const bytes = Buffer.concat(parts);
  assert.equal(bytes.length, to - from);
  return bytes;
}

function patched({ patch }: PatchedSpan, source: ByteSource, first: number, end: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = first; at < end; at += PATCH_OUTPUT_MAX) {
    const target = new Uint8Array(Math.min(PATCH_OUTPUT_MAX, end - at));
    const [from, to] = [patch.sourceFrom(at), patch.sourceTo(at + target.length)];
    patch.apply(source.read(from, to - from) as Uint8Array, at, at + target.length, target);
    parts.push(target);
  }
  return parts;
}

/** The movie of an answer; its samples are fetched from the object through the answer's spans. */
function parseAnswer(file: VirtualFile, source: ByteSource): ParsedMovie {
  const topLevel: string[] = [];
  let movie: Buffer | undefined;
  for (let at = 0; at < file.size; ) {
    const head = readAnswer(file, source, at, Math.min(at + 16, file.size));
    const wide = head.readUInt32BE(0) === 1;
    const size = wide ? Number(head.readBigUInt64BE(8)) : head.readUInt32BE(0);
    topLevel.push(head.toString('latin1', 4, 8));
    if (topLevel.at(-1) === 'moov') movie = readAnswer(file, source, at + (wide ? 16 : 8), at + size);
    at += size;
  }
  return parseMoov(movie!, topLevel, (from, to) => readAnswer(file, source, from, to).toString('hex'));
}

/** The object itself, to be parsed in the same way. */
function plain(source: ByteSource): VirtualFile {
  return { ...mediaObject(source), size: source.size, spans: [sourceSpan(0, source.size)], seekActual: undefined };
}

/** Offset of a chunk in the middle of the media, or of the end of the media. */
function placeIn(file: Uint8Array, where: 'middle' | 'end'): number {
  const bytes = Buffer.from(file);
  const mdat = bytes.indexOf('mdat') - 4;
  const end = mdat + Number(bytes.readBigUInt64BE(mdat + 8));
  if (where === 'end') return end;
  const wide = bytes.includes('co64');
  const table = bytes.indexOf(wide ? 'co64' : 'stco') + 8;
  const entry = table + 4 + Math.floor(bytes.readUInt32BE(table) / 2) * (wide ? 8 : 4);
  return wide ? Number(bytes.readBigUInt64BE(entry)) : bytes.readUInt32BE(entry);
}

function checkSamples(got: ParsedMovie, source: ParsedMovie): void {
  const told = ({ samples }: ParsedMovie['tracks'][0]) =>
    samples.map(({ bytes, sync, auxiliary }) => [bytes, sync, auxiliary]);
  for (const [i, track] of got.tracks.entries()) {
    assert.deepEqual(told(track), told(source.tracks[i]!).slice(-track.samples.length));
  }
}

describe('files above 4 GiB', () => {
  it('are cut with 64-bit chunk offsets and a 64-bit media box', async () => {
    const file = film('first', true);
    const source = stretch(file, placeIn(file, 'middle'), 5 * GIB);
    const index = (await format.compile(source))!;
    const answer = (await format.plan(index, mediaObject(source), { start: 0.5, end: undefined }))!;
    assert.ok(answer.size > 5 * GIB && answer.size < source.size);
    const got = parseAnswer(answer, source);
    assert.ok(got.tracks.every(({ boxes }) => boxes.includes('co64')));
    checkSamples(got, parseAnswer(plain(source), source));
  });

  it('are cut to 32-bit media boxes where little is left', async () => {
    const file = film('first', true);
    const source = stretch(file, placeIn(file, 'middle'), 5 * GIB);
    const index = (await format.compile(source))!;
    const whole = parseAnswer(plain(source), source);
    const [{ samples, timescale }] = whole.tracks as [ParsedMovie['tracks'][0]];
    const duration = samples.reduce((sum, { delta }) => sum + delta, 0) / timescale;
    const answer = (await format.plan(index, mediaObject(source), { start: duration - 0.01, end: undefined }))!;
    assert.ok(answer.size < 1e6);
    checkSamples(parseAnswer(answer, source), whole);
  });

  it('have their 32-bit chunk offsets widened when the cut might pass 4 GiB', async () => {
    const file = film('last', false);
    const source = stretch(file, placeIn(file, 'middle'), 4 * GIB - file.length);
    const index = (await format.compile(source))!;
    const answer = (await format.plan(index, mediaObject(source), { start: 0.01, end: undefined }))!;
    const got = parseAnswer(answer, source);
    assert.ok(got.tracks.every(({ boxes }) => boxes.includes('co64') && !boxes.includes('stco')));
    checkSamples(got, parseAnswer(plain(source), source));
  });

  it('are moved to the front with widened offsets, sizes of boxes and all', async () => {
    const file = film('last', false);
    const source = stretch(file, placeIn(file, 'end'), 4 * GIB);
    const index = (await format.compile(source))!;
    const answer = format.whole(index, mediaObject(source))!;
    const got = parseAnswer(answer, source);
    assert.deepEqual(got.topLevel, ['ftyp', 'moov', 'mdat']);
    assert.ok(got.tracks.every(({ boxes }) => boxes.includes('co64') && !boxes.includes('stco')));
    const whole = parseAnswer(plain(source), source);
    checkSamples(got, whole);
    assert.deepEqual(
      got.tracks.map(({ samples }) => samples.length),
      whole.tracks.map(({ samples }) => samples.length),
    );
    const chunks = Buffer.from(file).readUInt32BE(Buffer.from(file).indexOf('stco') + 8);
    // Each track has as many offsets of auxiliary information as of chunks.
    assert.equal(answer.size, source.size + whole.tracks.length * chunks * 2 * 4);
  });
});

const words = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer).swap32();
const full = (type: string, ...parts: Uint8Array[]) => box(type, false, words(0), ...parts);
const header = (id: number, rest: number) => Buffer.concat([words(1, 2, id), Buffer.alloc(rest)]);

describe('a movie box of 256 MiB', () => {
  /** The head of a box whose contents stand elsewhere. */
  const opening = (type: string, size: number) => Buffer.concat([words(size), Buffer.from(type)]);
  const samples = 22_000_000;
  const [sizes, offsets] = [20 + samples * 4, 16 + samples * 8];
  const heads = [full('stts', words(1, samples, 1)), full('stsc', words(1, 1, samples, 1)), full('stco', words(1, 0))];
  const small = heads.reduce((sum, { length }) => sum + length, 0);
  const stbl = 8 + small + sizes + offsets;
  const mdhd = full('mdhd', header(1000, 8));
  const [minf, mdia] = [stbl + 8, stbl + 16 + mdhd.length];
  const [tkhd, mvhd] = [full('tkhd', header(1, 68)), full('mvhd', header(1000, 84))];
  const trak = 8 + tkhd.length + mdia;
  const before = Buffer.concat([
    ...[opening('moov', 8 + mvhd.length + trak), mvhd, opening('trak', trak), tkhd],
    ...[opening('mdia', mdia), mdhd, opening('minf', minf), opening('stbl', stbl), ...heads],
    ...[opening('stsz', sizes), words(0, 0, samples)],
  ]);
  const between = Buffer.concat([opening('ctts', offsets), words(0, samples)]);

  /** All sizes are 0, all offsets have a run of their own: 0, 1, 0, 1 … */
  class Generated implements ByteSource {
    readonly size = before.length + samples * 12 + between.length;
    largest = 0;
    total = 0;
    readonly #runs = Buffer.alloc((1 << 20) + 32, words(1, 0, 1, 1));

    read(offset: number, length: number): Uint8Array {
      this.largest = Math.max(this.largest, length);
      this.total += length;
      const bytes = new Uint8Array(length);
      const middle = before.length + samples * 4;
      const end = middle + between.length;
      bytes.set(before.subarray(offset, offset + length));
      if (offset < end && offset + length > middle) {
        const from = Math.max(offset, middle);
        bytes.set(between.subarray(from - middle, offset + length - middle), from - offset);
      }
      if (offset + length > end) {
        const from = Math.max(offset, end);
        const phase = (from - end) % 16;
        bytes.set(this.#runs.subarray(phase, phase + offset + length - from), from - offset);
      }
      return bytes;
    }
  }

  it('is compiled in bounded pieces to a small index, and a plan reads little of it', async () => {
    const source = new Generated();
    assert.ok(source.size > 250 << 20 && source.size < 256 << 20);
    const spent = cpuStopwatch();
    const format256 = new ProgressiveMp4({ seek: 'keyframe', maxMoov: 256 << 20 });
    const index = (await format256.compile(source))!;
    assert.ok(source.largest <= 1 << 20, `a read of ${source.largest} bytes`);
    assert.ok(source.total < source.size * 1.01, `${source.total} bytes read`);
    assert.ok(format256.weight(index) < 4 << 20, `${format256.weight(index)} bytes`);
    assert.ok(spent() < 60_000);
    source.total = 0;
    const answer = (await format256.plan(index, mediaObject(source), { start: 12_345.678, end: undefined }))!;
    assert.equal(answer.seekActual, 12_345.678);
    assert.ok(source.total < 16 * 1024, `${source.total} bytes read`);
  });
});

describe('a movie box of 24 MB', () => {
  const samples = 2_000_000;
  const sizes = full('stsz', words(0, samples), Buffer.alloc(samples * 4));
  const pairs = Buffer.alloc(samples * 8);
  for (let i = 0; i < samples; i++) pairs.writeUInt32BE(1, i * 8);
  const tables = [
    full('stts', words(1, samples, 1)),
    full('ctts', words(samples), pairs),
    full('stsc', words(1, 1, samples, 1)),
    sizes,
    full('stco', words(1, 0)),
  ];
  const stbl = box('stbl', false, ...tables);
  const mdia = box('mdia', false, full('mdhd', header(1000, 8)), box('minf', false, stbl));
  const trak = box('trak', false, full('tkhd', header(1, 68)), mdia);
  const file = box('moov', false, full('mvhd', header(1000, 84)), trak);

  it('is compiled in turns of the event loop, a piece at a time, to a small index', async () => {
    const source = new MemorySource(file);
    let turns = 0;
    let compiling = true;
    const turn = () => {
      turns++;
      if (compiling) setImmediate(turn);
    };
    setImmediate(turn);
    const compiled = format48.compile(source);
    assert.ok(compiled instanceof Promise);
    const index = (await compiled)!;
    compiling = false;
    assert.ok(turns >= 1);
    assert.ok(format48.weight(index) < file.length / 40, `${format48.weight(index)} bytes`);
    const before = source.bytesRead;
    const answer = (await format48.plan(index, mediaObject(source), { start: 1234.567, end: 1300 }))!;
    assert.equal(answer.seekActual, 1234.567);
    assert.ok(source.bytesRead - before < 32 * 1024, `${source.bytesRead - before} bytes read`);
  });

  it('is refused when it is larger than the limit', async () => {
    await assert.rejects(async () => format.compile(new MemorySource(file)), { code: 'media_too_large' });
  });
});
