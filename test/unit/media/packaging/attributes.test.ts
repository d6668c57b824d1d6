import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EdgeError } from '../../../../src/base/errors.js';
import { SAMPLE_DURATION } from '../../../../src/media/fmp4/moof.js';
import { attributesOf } from '../../../../src/media/packaging/attributes.js';
import type { PackageTrack } from '../../../../src/media/packaging/media-package.js';
import { box } from '../../../support/mp4/build.js';
import { packageTrack, segmentRows } from '../../../support/package-track.js';

const bytes = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
/** The bytes that these bits make, with zeros at the end. */
const bits = (text: string) => {
  const digits = text.replaceAll(' ', '');
  return Buffer.from(digits.match(/.{1,8}/g)!.map(byte => Number.parseInt(byte.padEnd(8, '0'), 2)));
};
const binary = (value: number, digits: number) => value.toString(2).padStart(digits, '0');

function picture(type: string, ...boxes: Uint8Array[]): Uint8Array {
  const fields = Buffer.alloc(78);
  fields.writeUInt16BE(1920, 24);
  fields.writeUInt16BE(1080, 26);
  return box(type, false, fields, ...boxes);
}

function sound(type: string, ...boxes: Uint8Array[]): Uint8Array {
  const fields = Buffer.alloc(28);
  fields.writeUInt16BE(2, 16);
  fields.writeUInt32BE(24000 * 65536, 24);
  return box(type, false, fields, ...boxes);
}

function esds(specific: Uint8Array): Uint8Array {
  const inner = Buffer.concat([bytes('40 15 000000 00000000 00000000 05'), Buffer.from([specific.length]), specific]);
  const decoder = Buffer.concat([Buffer.from([4, inner.length]), inner]);
  return box('esds', false, bytes('00000000 03'), Buffer.from([decoder.length + 3]), bytes('000100'), decoder);
}

const ofPicture = (...boxes: Uint8Array[]) => attributesOf(packageTrack({ entry: picture('hvc1', ...boxes) }));
const ofSound = (type: string, ...boxes: Uint8Array[]) =>
  attributesOf(packageTrack({ kind: 'audio', handler: 'soun', entry: sound(type, ...boxes) }));
const hvcC = (...arrays: Uint8Array[]) =>
  box('hvcC', false, bytes('01 02 20000000 900000000000 5d'), Buffer.alloc(9), Buffer.from([arrays.length]), ...arrays);

describe('attributes of sound', () => {
  it('are those that come out of the decoder of HE-AAC, however it is signalled', () => {
    const [rate24, rate48, lc, sbr, ps] = [binary(6, 4), binary(3, 4), binary(2, 5), binary(5, 5), binary(29, 5)];
    const [stereo, mono] = [binary(2, 4), binary(1, 4)];
    const cases: readonly (readonly [string, Uint8Array, object])[] = [
      ['LC', bits(lc + rate24 + stereo), { codecs: 'mp4a.40.2', channels: 2, sampleRate: 24000 }],
      ['SBR', bits(sbr + rate24 + stereo + rate48 + lc), { codecs: 'mp4a.40.5', channels: 2, sampleRate: 48000 }],
      ['PS', bits(ps + rate24 + mono + rate48 + lc), { codecs: 'mp4a.40.29', channels: 2, sampleRate: 48000 }],
      [
        'SBR behind LC',
        bits(`${lc}${rate24}${stereo} 000 ${binary(0x2b7, 11)}${sbr}1${rate48}`),
        { codecs: 'mp4a.40.5', channels: 2, sampleRate: 48000 },
      ],
      [
        'no SBR behind LC',
        bits(`${lc}${rate24}${stereo} 000 ${binary(0x2b7, 11)}${sbr}0`),
        { codecs: 'mp4a.40.2', channels: 2, sampleRate: 24000 },
      ],
      [
        'PS behind SBR behind LC',
        bits(`${lc}${rate24}${mono} 000 ${binary(0x2b7, 11)}${sbr}1${rate48}${binary(0x548, 11)}1`),
        { codecs: 'mp4a.40.29', channels: 2, sampleRate: 48000 },
      ],
      [
        'xHE-AAC of a rare rate',
        bits(`${binary(31, 5)}${binary(10, 6)}${binary(15, 4)}${binary(47999, 24)}${stereo}`),
        { codecs: 'mp4a.40.42', channels: 2, sampleRate: 47999 },
      ],
    ];
    for (const [name, specific, expected] of cases) assert.deepEqual(ofSound('mp4a', esds(specific)), expected, name);
  });

  it('tell of more channels than the entry says, and of objects', () => {
    // 3/2 with LFE, and what a dependent substream adds: a pair of rear surrounds.
    const program = (dependent: string) => `00 ${binary(16, 5)} 0 0 000 111 1 000 ${dependent}`;
    const seven = bits(`${binary(768, 13)}000 ${program(`0001 ${binary(0b10, 9)}`)}`);
    assert.deepEqual(ofSound('ec-3', box('dec3', false, seven)), { codecs: 'ec-3', channels: 8, sampleRate: 48000 });
    const atmos = bits(`${binary(768, 13)}000 ${program('0000 0')} 0000000 1 ${binary(16, 8)}`);
    assert.deepEqual(ofSound('ec-3', box('dec3', false, atmos)), {
      ...{ codecs: 'ec-3', channels: 6, sampleRate: 48000 },
      jointObjects: 16,
    });
  });

  it('are those of the entry where no configuration tells', () => {
    assert.deepEqual(ofSound('samr'), { codecs: 'samr', channels: 2, sampleRate: 24000 });
    assert.deepEqual(ofSound('.mp3'), { codecs: '.mp3', channels: 2, sampleRate: 24000 });
  });
});

describe('attributes of pictures', () => {
  it('tell of Dolby Vision, alone and in what others play', () => {
    const dolby = (profile: number, compatibility: number) =>
      box('dvcC', false, bits(`${binary(1, 16)}${binary(profile, 7)}${binary(6, 6)}101${binary(compatibility, 4)}`));
    const alone = attributesOf(packageTrack({ entry: picture('dvh1', hvcC(), dolby(5, 0)) }));
    assert.equal(alone.codecs, 'dvh1.05.06');
    assert.equal(alone.supplementalCodecs, undefined);
    const both = ofPicture(hvcC(), dolby(8, 4));
    assert.equal(both.codecs, 'hvc1.2.4.L93.90');
    assert.equal(both.supplementalCodecs, 'dvh1.08.06/db4h');
  });

  it('tell of HLG that only an SEI message asks for', () => {
    const message = bytes('4e01 93 01 12 80');
    const array = Buffer.concat([bytes('27 0001'), Buffer.from([0, message.length]), message]);
    assert.equal(ofPicture(hvcC(array)).videoRange, 'HLG');
    assert.equal(ofPicture(hvcC()).videoRange, 'SDR');
  });

  it('take the box for colours before the configuration, unless it does not tell', () => {
    const colr = (transfer: number) =>
      box('colr', false, Buffer.from('nclx'), bits(`${binary(9, 16) + binary(transfer, 16) + binary(9, 16)}00000000`));
    const message = bytes('4e01 93 01 12 80');
    const array = Buffer.concat([bytes('27 0001'), Buffer.from([0, message.length]), message]);
    assert.equal(ofPicture(hvcC(array), colr(16)).videoRange, 'PQ');
    assert.equal(ofPicture(hvcC(array), colr(2)).videoRange, 'HLG');
  });

  it('have a size that the shape of a pixel makes larger, when it makes sense', () => {
    const pasp = (across: number, down: number) => box('pasp', false, bits(binary(across, 32) + binary(down, 32)));
    const size = (...boxes: Uint8Array[]) => {
      const { width, height } = ofPicture(hvcC(), ...boxes);
      return [width, height];
    };
    assert.deepEqual(size(), [1920, 1080]);
    assert.deepEqual(size(pasp(4, 3)), [2560, 1080]);
    assert.deepEqual(size(pasp(1, 2)), [1920, 2160]);
    for (const [across, down] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [0xffffffff, 1],
    ] as const)
      assert.deepEqual(size(pasp(across, down)), [1920, 1080]);
  });

  it('have the size that a phone turns them to', () => {
    const size = (...fields: readonly number[]) => {
      const matrix = Buffer.alloc(36);
      for (const [i, field] of fields.entries()) matrix.writeInt32BE(field * 0x1_0000, i * 4);
      const { width, height } = attributesOf(packageTrack({ entry: picture('avc1'), matrix }));
      return [width, height];
    };
    assert.deepEqual(size(1, 0, 0, 0, 1), [1920, 1080]);
    assert.deepEqual(size(-1, 0, 0, 0, -1), [1920, 1080]);
    assert.deepEqual(size(0, 1, 0, -1, 0), [1080, 1920]);
    assert.deepEqual(size(0, -1, 0, 1, 0), [1080, 1920]);
    assert.deepEqual(size(), [1920, 1080]);
  });

  it('have the exact rate of equal frames, and the meant one of those rounded to ticks', () => {
    const rate = (fields: Partial<PackageTrack>) => {
      const { num, den } = attributesOf(packageTrack({ entry: picture('avc1'), ...fields })).frameRate!;
      return `${num}/${den}`;
    };
    const equal = (timescale: number, tick: number) =>
      rate({ timescale, defaultDuration: tick, segments: segmentRows([100, 10], [100 * tick, 10 * tick]) });
    assert.equal(equal(24000, 1001), '24000/1001');
    assert.equal(equal(90000, 3600), '25/1');
    assert.equal(equal(12800, 1024), '25/2');
    const unequal = (frames: number, ticks: number) =>
      rate({ timescale: 1000, segments: segmentRows([frames], [ticks], SAMPLE_DURATION) });
    assert.equal(unequal(300, 10010), '30000/1001');
    assert.equal(unequal(240, 10010), '24000/1001');
    assert.equal(unequal(240, 10001), '24/1');
    assert.equal(unequal(3000, 100100), '30000/1001');
    assert.equal(unequal(100, 8123), '12311/1000');
    assert.equal(attributesOf(packageTrack({ entry: picture('avc1') })).frameRate, undefined);
  });

  it('put nothing between the quotes of a playlist that ends them', () => {
    assert.equal(attributesOf(packageTrack({ entry: picture('a"\n,') })).codecs, 'a');
  });
});

describe('attributes of hostile entries', () => {
  it('are told or refused, whatever the bytes are', () => {
    const types = [
      'avcC',
      'hvcC',
      'av1C',
      'vpcC',
      'esds',
      'dac3',
      'dec3',
      'dOps',
      'dfLa',
      'alac',
      'colr',
      'pasp',
      'dvcC',
      'wave',
    ];
    const inner = fc.tuple(fc.constantFrom(...types), fc.uint8Array({ maxLength: 120 }));
    const entries = fc.tuple(
      fc.constantFrom('avc1', 'hvc1', 'av01', 'vp09', 'mp4a', 'ec-3', 'fLaC', 'alac', 'lpcm', 'tx3g'),
      fc.constantFrom('vide', 'soun', 'sbtl'),
      fc.uint8Array({ minLength: 0, maxLength: 90 }),
      fc.array(inner, { maxLength: 4 }),
    );
    const kinds = { vide: 'video', soun: 'audio', sbtl: 'text' } as const;
    fc.assert(
      fc.property(entries, fc.nat(300), ([type, handler, fields, boxes], cut) => {
        const body = boxes.map(([name, config]) => box(name, false, config));
        const entry = box(type, false, fields, ...body);
        for (const bytes of [entry, entry.subarray(0, cut)]) {
          try {
            const {
              codecs,
              width = 1,
              height = 1,
            } = attributesOf(packageTrack({ kind: kinds[handler], handler, entry: bytes }));
            assert.match(codecs, /^[\w.-]+$/);
            assert.ok(Number.isInteger(width) && Number.isInteger(height));
          } catch (error) {
            assert.ok(error instanceof EdgeError && error.code === 'unplayable', String(error));
          }
        }
      }),
      { numRuns: 3000 },
    );
  });
});
