import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ProgressiveMp4 } from '../../../../../src/media/mp4/progressive.js';
import { clip, tone } from '../../../../support/clips.js';
import { complaints, MediaFolder, type Packet, probe } from '../../../../support/ffmpeg.js';
import { MemorySource, mediaObject, render } from '../../../../support/virtual.js';
import { cases } from '../clips.js';

/**
 * Most seconds by which a packet may be presented at another time, against the source, than the beginning of the
 * answer.
 */
const SKEW_MAX = 0.001;

let folder: MediaFolder;
before(async () => {
  folder = await MediaFolder.make();
});
after(() => folder.remove());

async function cut(path: string, start: number, end: number | undefined, seek: 'keyframe' | 'exact') {
  const bytes = await readFile(path);
  const format = new ProgressiveMp4({ seek, maxMoov: 1 << 24 });
  const source = new MemorySource(bytes);
  const index = await format.compile(source);
  assert.ok(index !== undefined);
  const file = (await format.plan(index, mediaObject(source), { start, end }))!;
  const written = await folder.write(render(file, source.bytes), path.slice(path.lastIndexOf('.') + 1));
  return { file, written, format, index };
}

function byTrack(packets: readonly Packet[]): Map<string, Packet[]> {
  const tracks = new Map<string, Packet[]>();
  for (const packet of packets) tracks.set(packet.track, [...(tracks.get(packet.track) ?? []), packet]);
  return tracks;
}

/**
 * Each packet of the answer is one of the source, at its time; and none that is presented between `from` and `to` is
 * missing.
 */
function comparePackets(answer: readonly Packet[], source: readonly Packet[], from: number, to: number): void {
  const sources = byTrack(source);
  const answers = byTrack(answer);
  for (const [track, packets] of answers) {
    const known = new Map<string, Packet[]>();
    for (const packet of sources.get(track) ?? []) known.set(packet.hash, [...(known.get(packet.hash) ?? []), packet]);
    for (const packet of packets) {
      const pts = packet.pts + from;
      // What is on the screen when the answer begins is presented from then on.
      const standing = Math.max(...sources.get(track)!.map(other => (other.pts <= from + SKEW_MAX ? other.pts : -1)));
      const begun = !track.startsWith('audio') && packet.pts === 0;
      const fits = (other: Packet) => Math.abs(other.pts - pts) <= SKEW_MAX || (begun && other.pts === standing);
      const same = known.get(packet.hash)?.some(fits);
      assert.ok(
        same,
        `${track}: no packet of the source is presented at ${pts} with this content (${JSON.stringify(packet)})`,
      );
    }
  }
  for (const [track, packets] of sources) {
    const got = new Set(answers.get(track)?.map(packet => `${packet.hash} ${(packet.pts + from).toFixed(1)}`));
    for (const { hash, pts } of packets) {
      if (pts < from || pts >= to - SKEW_MAX) continue;
      const near = [pts - 0.05, pts, pts + 0.05].some(time => got.has(`${hash} ${time.toFixed(1)}`));
      assert.ok(near, `${track}: the packet at ${pts} is missing`);
    }
  }
}

/** The sound of the answer, decoded, is that of the source from `from` to `to`, sample by sample. */
function compareSound(got: Buffer, whole: Buffer, from: number, to: number): void {
  const [first, end] = [Math.round(from * SOUND_RATE) * 2, Math.round(to * SOUND_RATE) * 2];
  const expected = whole.subarray(first, end);
  assert.ok(
    Math.abs(got.length - expected.length) <= 2 * 1024 * 2,
    `${got.length} bytes of sound, expected ${expected.length}`,
  );
  const length = Math.min(got.length, expected.length) - 1024 * 2;
  for (let at = 0; at < length; at += 2) {
    const difference = Math.abs(got.readInt16LE(at) - expected.readInt16LE(at));
    assert.ok(difference <= 1, `the sound differs at ${from + at / 2 / SOUND_RATE} s by ${difference}`);
  }
}

const SOUND_RATE = 48000;

async function decodeSound(path: string): Promise<Buffer> {
  const options = ['-v', 'error', '-i', path, '-map', '0:a:0', '-f', 's16le', '-'];
  const { stdout } = await promisify(execFile)('ffmpeg', options, { encoding: 'buffer', maxBuffer: 1 << 26 });
  return stdout;
}

describe('cut of a progressive MP4, against ffmpeg', { concurrency: 2 }, () => {
  for (const { name, make, seeks, leading, sound, pcm } of cases) {
    it(name, async () => {
      const path = await make();
      const whole = await probe(path);
      const source = whole.packets;
      const decoded = sound ? await decodeSound(path) : undefined;
      const answers: string[] = [];
      for (const [start, end] of seeks) {
        for (const seek of ['keyframe', 'exact'] as const) {
          const told = `${name}, start=${start} end=${end} ${seek}`;
          const { file, written } = await cut(path, start, end, seek);
          const actual = file.seekActual!;
          assert.ok(actual <= start + 0.000501, `${told}: begins at ${actual}`);
          if (seek === 'exact' && start < 11.9) assert.equal(actual, start);
          answers.push(written);
          const { duration, packets: answer } = await probe(written);
          const stop = Math.min(end ?? Number.POSITIVE_INFINITY, whole.start + whole.duration);
          // ffprobe makes packets of PCM as it likes.
          const compared = (packet: Packet) => !pcm || packet.track !== 'audio0';
          comparePackets(answer.filter(compared), source.filter(compared), actual, stop);
          if (decoded !== undefined) compareSound(await decodeSound(written), decoded, actual, stop);
          assert.ok(
            Math.abs(duration - (stop - actual)) < 0.05,
            `${told}: lasts ${duration}, expected ${stop - actual}`,
          );
          const video = answer.filter(packet => packet.track === 'video0');
          const isKey = (packet: Packet) =>
            packet.track === 'video0' && packet.key && Math.abs(packet.pts - actual) < SKEW_MAX;
          if (seek === 'keyframe' && source.some(isKey)) {
            const first = video[0]!;
            assert.ok(first.key, `${told}: the first picture is no key frame`);
            assert.ok(Math.abs(first.pts) <= SKEW_MAX, `${told}: the first picture is presented at ${first.pts}`);
          }
        }
      }
      if (!leading) assert.equal(await complaints(...answers), '');
    });
  }

  it('old QuickTime sound, whose samples are said to have one byte', async () => {
    for (const codec of ['pcm_mulaw', 'pcm_s16le', 'pcm_s24le']) {
      const path = await clip(`${codec}.mov`, [...tone(5, 330, SOUND_RATE), '-c:a', codec]);
      const bytes = await readFile(path);
      bytes.writeUInt32BE(1, bytes.indexOf('stsz') + 8);
      const old = await folder.write(bytes, 'mov');
      const decoded = await decodeSound(path);
      for (const [start, end] of [
        [1.2345, undefined],
        [2, 3.5],
      ] as const) {
        const { file, written } = await cut(old, start, end, 'keyframe');
        assert.equal(await complaints(written), '');
        assert.ok(Math.abs(file.seekActual! - start) < 0.001);
        compareSound(await decodeSound(written), decoded, file.seekActual!, end ?? 5);
      }
    }
  });
});
