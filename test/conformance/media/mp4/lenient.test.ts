/**
 * Films whose tables are wrong in ways that ffmpeg (and Chromium, which reads MP4 by it) sees through: a cut has the
 * packets of the source.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { ProgressiveMp4 } from '../../../../src/media/mp4/progressive.js';
import { aac, clip, h264, picture, tone } from '../../../support/clips.js';
import { complaints, MediaFolder, type Packet, probe } from '../../../support/ffmpeg.js';
import { body, replaced } from '../../../support/mp4/replaced.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';

const film = () =>
  clip('lenient.mp4', [...picture(6), ...tone(6), ...h264(), ...aac, '-movflags', '+faststart', '-bf', '2']);

const u32 = (...values: number[]) => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4);
  return bytes;
};
/** Contents of a table without the prelude: its count and its entries. */
const counted = (bytes: Buffer, type: string) => {
  const at = body(bytes, type) + (type === 'stsz' ? 8 : 4);
  return {
    count: bytes.readUInt32BE(at),
    entries: bytes.subarray(at + 4, body(bytes, type) - 8 + bytes.readUInt32BE(body(bytes, type) - 8)),
  };
};
const table = (bytes: Buffer, type: string, count: number, ...entries: Buffer[]) =>
  replaced(bytes, type, Buffer.concat([u32(0), ...(type === 'stsz' ? [u32(0)] : []), u32(count), ...entries]));

/** The film's first track is video: 150 samples of 512 ticks, key frames every 25. */
const cases: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  'a small negative duration': bytes => table(bytes, 'stts', 3, u32(50, 512, 1, -100, 99, 512)),
  'a negative duration': bytes => table(bytes, 'stts', 3, u32(50, 512, 1, -600, 99, 512)),
  'negative durations': bytes => table(bytes, 'stts', 3, u32(40, 512, 10, -1, 100, 512)),
  'a negative duration in the middle of changing ones': bytes =>
    table(bytes, 'stts', 60, ...Array.from({ length: 60 }, (_, i) => u32(i < 59 ? 2 : 32, i === 20 ? -300 : 500 + i))),
  'durations that stop early': bytes => table(bytes, 'stts', 1, u32(20, 512)),
  'durations that stop early, the last one another': bytes => table(bytes, 'stts', 2, u32(20, 512, 3, 256)),
  'durations for too many samples': bytes => table(bytes, 'stts', 1, u32(4000, 512)),
  'a last sample without duration': bytes => table(bytes, 'stts', 2, u32(149, 512, 1, 0)),
  'composition offsets that stop early': bytes => {
    const { entries } = counted(bytes, 'ctts');
    return table(bytes, 'ctts', 60, entries.subarray(0, 480));
  },
  'composition offsets that stop one early': bytes => {
    const { count, entries } = counted(bytes, 'ctts');
    return table(bytes, 'ctts', count - 1, entries.subarray(0, -8));
  },
  'more composition offsets than samples': bytes => {
    const { count, entries } = counted(bytes, 'ctts');
    return table(bytes, 'ctts', count + 1, entries, u32(20, 77));
  },
  'sync samples past the end': bytes => {
    const { count, entries } = counted(bytes, 'stss');
    return table(bytes, 'stss', count + 2, entries, u32(151, 9000));
  },
  'sync samples from 0': bytes => table(bytes, 'stss', 6, u32(0, 25, 50, 75, 100, 125)),
  'sizes for a few samples less': bytes => {
    const { entries } = counted(bytes, 'stsz');
    return table(bytes, 'stsz', 147, entries.subarray(0, 147 * 4));
  },
  'sizes for a few samples more': bytes => {
    const { entries } = counted(bytes, 'stsz');
    return table(bytes, 'stsz', 153, entries, u32(16, 16, 16));
  },
  'chunks that are not needed': bytes => {
    const { count, entries } = counted(bytes, 'stco');
    return table(bytes, 'stco', count + 3, entries, u32(0x7fff_ffff, 5, 0));
  },
  'a chunk less than needed': bytes => {
    const { count, entries } = counted(bytes, 'stco');
    return table(bytes, 'stco', count - 1, entries.subarray(0, -4));
  },
  'a last run of chunks without samples': bytes => {
    const { count, entries } = counted(bytes, 'stsc');
    return table(bytes, 'stsc', count + 1, entries, u32(counted(bytes, 'stco').count, 0, 1));
  },
  'more edits said than there are': bytes => table(bytes, 'elst', 3, u32(6000, 1024, 0x10000)),
  'very many edits said': bytes => table(bytes, 'elst', 0xffff_ffff, u32(6000, 1024, 0x10000)),
  'a movie timescale of 0, and no edits': bytes => {
    const whole = Buffer.from(table(table(bytes, 'elst', 0), 'elst', 0));
    whole.writeUInt32BE(0, body(whole, 'mvhd') + 12);
    return whole;
  },
  'an unknown brand': bytes => {
    const whole = Buffer.from(bytes);
    whole.write('zzzz', body(whole, 'ftyp'));
    return whole;
  },
  'a last box that goes on to the end of the movie box': bytes => {
    const whole = Buffer.from(bytes);
    whole.writeUInt32BE(0, body(whole, 'udta') - 8);
    return whole;
  },
  'garbage after the last box of the movie box': bytes => {
    const moov = body(bytes, 'moov') - 8;
    const end = moov + bytes.readUInt32BE(moov);
    const whole = Buffer.from(
      replaced(bytes, 'moov', Buffer.concat([bytes.subarray(moov + 8, end), Buffer.alloc(23, 0xe7)])),
    );
    return whole;
  },
  'garbage after the last box of the file': bytes => Buffer.concat([bytes, Buffer.alloc(33, 0xe7)]),
};

let folder: MediaFolder;
before(async () => {
  folder = await MediaFolder.make();
});
after(() => folder.remove());

const of = (packets: readonly Packet[], track: string) => packets.filter(packet => packet.track === track);

describe('films that are wrong', { concurrency: 2 }, () => {
  for (const [name, spoil] of Object.entries(cases)) {
    it(name, async () => {
      const bytes = spoil(await readFile(await film()));
      const source = new MemorySource(bytes);
      const original = await folder.write(bytes, 'mp4');
      const whole = (await probe(original)).packets;
      const format = new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 24 });
      const index = (await format.compile(source))!;
      assert.deepEqual(format.decode(format.encode(index), bytes.length), index);
      const written: string[] = [];
      for (const start of [1.3, 2.2, 3.1]) {
        const file = (await format.plan(index, mediaObject(source), { start, end: undefined }))!;
        const path = await folder.write(render(file, source.bytes), 'mp4');
        written.push(path);
        const { packets } = await probe(path);
        for (const track of ['video0', 'audio0']) {
          const [got, all] = [of(packets, track), of(whole, track)];
          assert.ok(got.length > 6, `${track}: ${got.length} packets from ${start}`);
          const expected = all.slice(-got.length);
          assert.deepEqual(
            got.map(({ hash }) => hash),
            expected.map(({ hash }) => hash),
            `${track} from ${start}`,
          );
          // ffmpeg gives up some films' edit lists, which moves all times of a track by the same.
          const moved = expected[5]!.pts - got[5]!.pts;
          assert.ok(Math.abs(moved - file.seekActual!) < 0.09, `${track}: moved by ${moved}, not ${file.seekActual}`);
          for (const [i, { pts }] of got.entries()) {
            if (i === 0 && track === 'audio0') continue;
            const error = Math.abs(expected[i]!.pts - pts - moved);
            assert.ok(
              error < 0.0011,
              `${track}: packet ${i} from ${start} is at ${pts + moved}, not ${expected[i]!.pts}`,
            );
          }
        }
        assert.ok(
          of(packets, 'video0')[0]!.key && Math.abs(of(packets, 'video0')[0]!.pts) < 0.001,
          'no key frame first',
        );
      }
      // Times that fall together are the source's, and ffmpeg may tell of them.
      if ((await complaints(original)) === '') assert.equal(await complaints(...written), '');
    });
  }
});
