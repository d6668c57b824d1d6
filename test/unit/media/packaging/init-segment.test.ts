import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFile, type ISOFile, MP4BoxBuffer } from 'mp4box';
import { parseSampleEntry } from '../../../../src/media/codec/sample-entry.js';
import { initSegment } from '../../../../src/media/packaging/init-segment.js';
import type { PackageTrack } from '../../../../src/media/packaging/media-package.js';
import { packagedEntry } from '../../../../src/media/packaging/packaged-entry.js';
import { box } from '../../../support/mp4/build.js';
import { packageTrack } from '../../../support/package-track.js';

const u16 = (...values: number[]) => Buffer.concat(values.map(value => Buffer.from([(value >> 8) & 255, value & 255])));
const u32 = (...values: number[]) => Buffer.concat(values.map(value => u16(Math.floor(value / 65536), value % 65536)));

/** A picture's entry: fields, then boxes. */
function picture(type: string, ...boxes: Uint8Array[]): Buffer {
  const fields = [u16(0, 0), u32(0, 0, 0), u16(320, 180), u32(0x480000, 0x480000, 0), u16(1), Buffer.alloc(32)];
  return box(type, false, Buffer.alloc(6), u16(7), ...fields, u16(24, 0xffff), ...boxes);
}

/** HEVCDecoderConfigurationRecord with an array of `units` units for each of these types. */
function hvcC(types: readonly number[], units = 1): Buffer {
  const arrays = types.map(type => {
    const list = Array.from({ length: units }, () => Buffer.concat([u16(3), Buffer.from([type, 1, 2])]));
    return Buffer.concat([Buffer.from([type]), u16(units), ...list]);
  });
  return box('hvcC', false, Buffer.alloc(22, 1), Buffer.from([types.length]), ...arrays);
}

/** ES_Descriptor of AAC (ISO/IEC 14496-14 section 5.6). */
const DESCRIPTOR = '031900010004114015000000000000000000000000050212100601 02'.replace(' ', '');
const esds = box('esds', false, u32(0), Buffer.from(DESCRIPTOR, 'hex'));
const sound = (version: number, more: Buffer, ...boxes: Uint8Array[]) =>
  box(
    'mp4a',
    false,
    ...[Buffer.alloc(6), u16(3), u16(version, 1), u32(0x6170706c), u16(2, 16, 0xfffe, 9), u32(44100 * 65536)],
    ...[more, ...boxes],
  );

const entryOf = (entry: Uint8Array, kind: 'video' | 'audio', hvc1 = true) =>
  Buffer.from(packagedEntry(packageTrack({ entry, kind, handler: kind === 'video' ? 'vide' : 'soun' }), hvc1));

describe('the sample entry of a package', () => {
  it('is the source’s, with the data in the file itself', () => {
    const colr = box('colr', false, Buffer.from('nclx'), u16(9, 16, 9), Buffer.from([0]));
    const pasp = box('pasp', false, u32(4, 3));
    for (const type of ['avc1', 'avc3', 'av01', 'hvc1', 'vp09']) {
      const entry = picture(type, box('avcC', false, Buffer.alloc(9, 5)), colr, pasp);
      const expected = Buffer.from(entry);
      expected.writeUInt16BE(1, 14);
      assert.deepEqual(entryOf(entry, 'video'), expected);
    }
    const plain = sound(0, Buffer.alloc(0), esds);
    const expected = Buffer.from(plain);
    expected.writeUInt16BE(1, 14);
    assert.deepEqual(entryOf(plain, 'audio'), expected);
  });

  it('leaves out what is no box behind the boxes', () => {
    const config = box('avcC', false, Buffer.alloc(9, 5));
    const clean = entryOf(picture('avc1', config), 'video');
    for (const tail of [Buffer.alloc(4), Buffer.alloc(8), Buffer.from([1, 2, 3])])
      assert.deepEqual(entryOf(picture('avc1', config, tail), 'video'), clean);
    const broken = picture('avc1', config, u32(400), Buffer.from('pasp'));
    assert.deepEqual(entryOf(broken, 'video').subarray(16), broken.subarray(16));
  });

  it('calls HEVC hvc1 when all parameter sets are in it', () => {
    const pasp = box('pasp', false, u32(1, 1));
    for (const [type, expected] of [
      ['hev1', 'hvc1'],
      ['dvhe', 'dvh1'],
    ] as const) {
      const entry = picture(type, hvcC([32, 33, 34, 39]), pasp);
      const made = entryOf(entry, 'video');
      assert.equal(made.toString('latin1', 4, 8), expected);
      const config = parseSampleEntry(made, 'vide').boxes.get('hvcC')!;
      assert.deepEqual([config[23], config[31], config[39], config[47]], [0xa0, 0xa1, 0xa2, 39]);
      assert.deepEqual(made.subarray(made.length - pasp.length), pasp);
      assert.equal(made.length, entry.length);
      assert.equal(entryOf(entry, 'video', false).toString('latin1', 4, 8), type);
    }
  });

  it('leaves hev1 whose parameter sets stand among the samples, or whose configuration is broken', () => {
    const whole = hvcC([32, 33, 34]);
    const short = Buffer.from(whole.subarray(0, whole.length - 2));
    short.writeUInt32BE(short.length);
    for (const config of [
      hvcC([]),
      hvcC([32, 33]),
      hvcC([32, 33, 34], 0),
      short,
      box('hvcC', false, Buffer.alloc(5)),
    ]) {
      const entry = picture('hev1', config);
      const expected = Buffer.from(entry);
      expected.writeUInt16BE(1, 14);
      assert.deepEqual(entryOf(entry, 'video'), expected);
    }
    assert.equal(entryOf(picture('hev1'), 'video').toString('latin1', 4, 8), 'hev1');
  });

  it('is ISO’s where it is QuickTime’s', () => {
    const zero = u32(8, 0);
    const frma = box('frma', false, Buffer.from('mp4a'));
    const inner = box('mp4a', false, u32(0));
    const wave = box('wave', false, frma, inner, esds, zero);
    const btrt = box('btrt', false, u32(1, 2, 3));
    const chan = box('chan', false, u32(0, 1, 2, 3));
    const real = Buffer.alloc(8);
    real.writeDoubleBE(44100);
    const long = Buffer.concat([u32(72), real, u32(2, 0x7f000000, 16, 0, 0, 1024)]);
    const expected = box(
      'mp4a',
      false,
      ...[Buffer.alloc(6), u16(1), u32(0, 0), u16(2, 16), u32(0, 44100 * 65536), esds, btrt],
    );
    assert.deepEqual(entryOf(sound(1, u32(1024, 0, 0, 2), wave, chan, btrt), 'audio'), expected);
    assert.deepEqual(entryOf(sound(2, long, wave, btrt), 'audio'), expected);
    // A description that says that it is of version 1, and has no more fields than ISO's.
    assert.deepEqual(entryOf(sound(1, Buffer.alloc(0), esds, btrt), 'audio'), expected);
  });

  it('is refused when it ends within its fields', () => {
    assert.throws(() => entryOf(box('avc1', false, Buffer.alloc(20)), 'video'), { code: 'unplayable' });
  });
});

/** The file as mp4box reads it; rejects when it complains. */
function mp4box(bytes: Uint8Array): Promise<ISOFile> {
  return new Promise((resolve, reject) => {
    const file = createFile(true);
    file.onError = (module: string, message: string) => reject(new Error(`${module}: ${message}`));
    file.onReady = () => resolve(file);
    file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(bytes).buffer, 0));
    file.flush();
  });
}

/** Text that mp4box has taken for Latin-1. */
function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString();
}

describe('an init segment', () => {
  const config = box('avcC', false, Buffer.from([1, 66, 0, 30, 255, 224, 0]));
  const make = (fields: Partial<PackageTrack>) => {
    const track = packageTrack({ timescale: 24000, end: 48000, entry: picture('avc1', config), ...fields });
    return mp4box(initSegment(track, packagedEntry(track, true)));
  };

  it('tells of the track what the source does', async () => {
    const matrix = u32(0, 0x10000, 0, 0xffff0000, 0, 0, 0, 0, 0x40000000);
    const more = {
      matrix,
      width: 320 * 65536,
      height: 180 * 65536,
      language: 'fra',
      name: 'Caméra',
      alternateGroup: 3,
    };
    const file = await make(more);
    const { timescale, fragment_duration: duration, brands, isFragmented, tracks } = file.getInfo();
    const fragments = duration as unknown as { num: number; den: number };
    assert.deepEqual([timescale, fragments.num, isFragmented], [24000, 48000, true]);
    assert.deepEqual(brands, ['iso6', 'iso6', 'cmfc', 'dash']);
    const [track] = tracks;
    assert.deepEqual([track!.id, track!.timescale, track!.language, utf8(track!.name)], [1, 24000, 'fra', 'Caméra']);
    assert.deepEqual([track!.track_width, track!.track_height, track!.alternate_group], [320, 180, 3]);
    assert.deepEqual(
      Array.from(track!.matrix),
      Array.from(new Int32Array(9), (_, i) => matrix.readInt32BE(i * 4)),
    );
    assert.equal(track!.codec, 'avc1.42001e');
    assert.equal(track!.edits, undefined);
  });

  it('has an edit list for what is decoded before the presentation, and the defaults of samples', async () => {
    const fields = { editMedia: 1024, defaultDuration: 1024, defaultSize: 9, syncs: 'all' as const };
    const file = await make({ ...fields, kind: 'audio', handler: 'soun', entry: sound(0, Buffer.alloc(0), esds) });
    const { edits } = file.getInfo().tracks[0]!;
    assert.deepEqual(
      edits!.map(({ segment_duration, media_time }) => [Number(segment_duration), Number(media_time)]),
      [[0, 1024]],
    );
    const trex = file.moov.mvex!.trexs[0]!;
    const { default_sample_duration, default_sample_size, default_sample_flags } = trex;
    assert.deepEqual([default_sample_duration, default_sample_size, default_sample_flags], [1024, 9, 0x2000000]);
  });

  it('has any language: in mdhd if it is one of three letters, else in elng', async () => {
    for (const [language, header] of [
      ['und', 'und'],
      ['deu', 'deu'],
      ['pt-BR', 'und'],
      ['en', 'und'],
    ] as const) {
      const { mdia } = (await make({ language })).moov.traks[0]!;
      const { elng } = mdia as { elng?: { extended_language: string } };
      assert.deepEqual(
        [mdia.mdhd.languageString, elng?.extended_language.replace('\0', '')],
        [header, header === language ? undefined : language],
      );
    }
  });

  it('keeps a bounded part of a name, and no zeros of it', async () => {
    const file = await make({ name: `a\0${'é'.repeat(999)}` });
    assert.equal(utf8(file.getInfo().tracks[0]!.name), `a${'é'.repeat(253)}`);
  });
});
