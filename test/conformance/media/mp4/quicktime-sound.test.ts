/**
 * Sound of QuickTime films, whose samples are counted one by one, is cut between its packets; ffmpeg reads the same
 * packets as in the source.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ProgressiveMp4 } from '../../../../src/media/mp4/progressive.js';
import { MediaFolder } from '../../../support/ffmpeg.js';
import { packetOf, type QuickTimeSound, quickTimeSound } from '../../../support/mp4/quicktime-sound.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';

const RATE = 8000;
const chunks = Array.from({ length: 40 }, (_, i) => 11 + ((i * 7) % 5));

/** Codec, samples of a packet, bytes of a packet of one channel, bits of the description. */
const codecs: readonly (readonly [codec: string, samples: number, bytes: number, bits: number])[] = [
  ...([
    ['ima4', 64, 34, 16],
    ['MAC3', 6, 2, 8],
    ['MAC6', 6, 1, 8],
    ['agsm', 160, 33, 16],
  ] as const),
  ...([
    ['ulaw', 1, 1, 16],
    ['alaw', 1, 1, 16],
    ['raw ', 1, 1, 8],
    ['NONE', 1, 2, 16],
    ['twos', 1, 1, 8],
  ] as const),
  ...([
    ['twos', 1, 2, 16],
    ['sowt', 1, 2, 16],
    ['sowt', 1, 3, 24],
    ['twos', 1, 4, 32],
    ['in24', 1, 3, 16],
  ] as const),
  ...([
    ['in32', 1, 4, 16],
    ['fl32', 1, 4, 16],
    ['fl64', 1, 8, 16],
  ] as const),
];

function films(): [string, QuickTimeSound][] {
  const found: [string, QuickTimeSound][] = [];
  const add = (told: string, film: Omit<QuickTimeSound, 'rate' | 'chunks'>) => {
    // A packet of one sample is short: more of them make the same time.
    const each = film.packetSamples < 6 ? 64 : 1;
    const film_ = { ...film, rate: RATE, chunks: chunks.map(count => count * each) };
    found.push([
      `${film.codec}, version ${film.version}, ${film.bits} bits, ${film.channels} channels, ${told}`,
      film_,
    ]);
  };
  for (const [codec, packetSamples, bytes, bits] of codecs) {
    for (const channels of codec === 'agsm' ? [1] : [1, 2]) {
      const packetBytes = bytes * channels;
      const plain = { codec, channels, bits, packetSamples, packetBytes };
      add('a byte a sample', { ...plain, version: 0, sampleSize: 1 });
      add('two bytes a sample', { ...plain, version: 0, sampleSize: 2 });
      add('a byte a sample', { ...plain, version: 1, sampleSize: 1 });
      add('a description that says nothing', {
        ...plain,
        version: 1,
        sampleSize: 1,
        said: [packetSamples > 1 ? packetSamples : 0, 0],
      });
    }
  }
  add('a byte a sample', {
    codec: 'Qclp',
    version: 1,
    channels: 1,
    bits: 16,
    packetSamples: 160,
    packetBytes: 35,
    sampleSize: 1,
  });
  add('ADPCM of Windows', {
    codec: 'ms\x00\x11',
    version: 1,
    channels: 1,
    bits: 16,
    packetSamples: 505,
    packetBytes: 256,
    sampleSize: 1,
  });
  for (const [bits, bytes] of [
    [16, 2],
    [24, 3],
    [32, 4],
  ] as const) {
    const lpcm = { codec: 'lpcm', version: 2, channels: 2, bits, packetSamples: 1, packetBytes: bytes * 2 } as const;
    add('whole', { ...lpcm, sampleSize: 1 });
    add('a size in stsz', { ...lpcm, sampleSize: bytes * 2 });
    add('a description that says nothing', { ...lpcm, sampleSize: 1, said: [0, 0] });
  }
  return found;
}

const format = new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 24 });
let folder: MediaFolder;
before(async () => {
  folder = await MediaFolder.make();
});
after(() => folder.remove());

/** The bytes of all packets that ffmpeg finds in each file, one after the other; one process for all files. */
async function packets(files: readonly Uint8Array[]): Promise<Buffer[]> {
  const paths = await Promise.all(files.map(file => folder.write(file, 'mov')));
  const inputs = paths.flatMap(path => ['-i', path]);
  const outputs = paths.flatMap((path, i) => ['-map', `${i}:a`, '-c', 'copy', '-f', 'data', `${path}.data`]);
  await promisify(execFile)('ffmpeg', ['-nostdin', '-y', '-v', 'error', ...inputs, ...outputs]);
  return Promise.all(paths.map(path => readFile(`${path}.data`)));
}

async function cutOf(bytes: Uint8Array, start: number, end?: number) {
  const source = new MemorySource(bytes);
  const index = await format.compile(source);
  assert.ok(index !== undefined);
  const file = await format.plan(index, mediaObject(source), { start, end });
  assert.ok(file !== undefined);
  return { actual: file.seekActual!, cut: render(file, source.bytes) };
}

describe('QuickTime sound', { concurrency: 2 }, () => {
  for (const codec of new Set(films().map(([, film]) => film.codec))) {
    it(JSON.stringify(codec), async () => {
      const files: Uint8Array[] = [];
      const expected: [told: string, packets: Buffer][] = [];
      for (const [told, sound] of films().filter(([, film]) => film.codec === codec)) {
        const film = quickTimeSound(sound);
        const { packetSamples, packetBytes } = sound;
        const count = sound.chunks.reduce((sum, packets) => sum + packets, 0);
        const media = Buffer.concat(Array.from({ length: count }, (_, n) => packetOf(sound, n)));
        files.push(film);
        expected.push([`${told}, whole`, media]);
        const length = (count * packetSamples) / RATE;
        for (const [start, end] of [[length * 0.61], [length * 0.3, length * 0.45]] as const) {
          const { actual, cut } = await cutOf(film, start, end);
          const early = start - actual;
          assert.ok(early > -1e-6 && early <= packetSamples / RATE, `${told}: begins at ${actual}, wanted ${start}`);
          const first = Math.round((actual * RATE) / packetSamples);
          assert.ok(Math.abs(first * packetSamples - actual * RATE) < 1e-6, `${told}: ${actual} is within a packet`);
          const last = end === undefined ? count : Math.ceil((end * RATE) / packetSamples - 1e-6);
          files.push(cut);
          expected.push([`${told}, from ${start} to ${end}`, media.subarray(first * packetBytes, last * packetBytes)]);
        }
      }
      for (const [i, got] of (await packets(files)).entries()) {
        const [told, wanted] = expected[i]!;
        assert.equal(got.length, wanted.length, told);
        assert.ok(got.equals(wanted), `${told}: other packets`);
      }
    });
  }

  it('of a codec that version 0 does not describe is cut by its packets', async () => {
    const sound: QuickTimeSound = {
      ...{ codec: 'Qclp', version: 0, channels: 1, bits: 16, rate: RATE, packetSamples: 160, packetBytes: 35 },
      ...{ sampleSize: 1, chunks },
    };
    const { actual, cut } = await cutOf(quickTimeSound(sound), 3);
    const first = Math.round((actual * RATE) / 160);
    assert.ok(
      Buffer.from(cut)
        .subarray(-35)
        .equals(packetOf(sound, chunks.reduce((sum, count) => sum + count) - 1)),
    );
    assert.ok(Buffer.from(cut).includes(Buffer.concat([Buffer.from('mdat'), packetOf(sound, first)])));
  });
});
