import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { ALL_FORMATS, BufferSource, EncodedPacketSink, Input } from 'mediabunny';
import { createFile, type ISOFile, MP4BoxBuffer } from 'mp4box';
import { ProgressiveMp4 } from '../../../../src/media/mp4/progressive.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';
import { cases } from './clips.js';

const format = new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 24 });

async function answersTo(path: string, start: number, end: number | undefined) {
  const source = new MemorySource(await readFile(path));
  const index = (await format.compile(source))!;
  const file = (await format.plan(index, mediaObject(source), { start, end }))!;
  const whole = format.whole(index, mediaObject(source));
  return {
    file,
    bytes: render(file, source.bytes),
    faststart: whole && render(whole, source.bytes),
    source: source.bytes,
  };
}

/** The file as mp4box reads it; rejects when it complains. */
function mp4box(bytes: Uint8Array): Promise<{ file: ISOFile; info: ReturnType<ISOFile['getInfo']> }> {
  return new Promise((resolve, reject) => {
    const file = createFile(true);
    file.onError = (module: string, message: string) => reject(new Error(`${module}: ${message}`));
    file.onReady = (info: ReturnType<ISOFile['getInfo']>) => resolve({ file, info });
    const copy = new Uint8Array(bytes).buffer;
    file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(copy, 0));
    file.flush();
  });
}

/** The samples of each track as mp4box reads them: time relative to `from`, and content. */
async function samplesOf(bytes: Uint8Array): Promise<Map<number, { dts: number; sync: boolean; data: string }[]>> {
  const { file, info } = await mp4box(bytes);
  const tracks = new Map<number, { dts: number; sync: boolean; data: string }[]>();
  for (const { id } of info.tracks) {
    const samples = file.getTrackSamplesInfo(id);
    tracks.set(
      id,
      samples.map(({ dts, is_sync, offset, size }) => {
        const data = Buffer.from(bytes.subarray(offset, offset + size)).toString('base64');
        assert.equal(data.length, Math.ceil(size / 3) * 4, 'a sample lies outside the file');
        return { dts, sync: is_sync, data };
      }),
    );
  }
  return tracks;
}

describe('cuts as other parsers read them', () => {
  for (const { name, make, seeks } of cases) {
    it(`mp4box: ${name}`, async () => {
      const path = await make();
      for (const [start, end] of seeks.slice(0, 2)) {
        const { bytes, source } = await answersTo(path, start, end);
        const whole = await samplesOf(source);
        for (const [id, samples] of await samplesOf(bytes)) {
          const from = whole.get(id)!;
          const data = from.map(sample => sample.data).join(' ');
          assert.ok(data.includes(samples.map(sample => sample.data).join(' ')), `track ${id} has other samples`);
          if (samples.length === 0) continue;
          const first = from.findIndex((_, i) => samples.every((sample, n) => from[i + n]?.data === sample.data));
          assert.deepEqual(
            samples.map(({ sync }) => sync),
            from.slice(first, first + samples.length).map(({ sync }) => sync),
          );
          assert.equal(samples[0]!.dts, 0);
        }
      }
    });
  }

  for (const { name, make, seeks } of cases.filter(({ pcm, still }) => !pcm && !still)) {
    it(`mediabunny: ${name}`, async () => {
      const path = await make();
      const [start, end] = seeks[0]!;
      const { bytes, file, source } = await answersTo(path, start, end);
      const [whole, cut] = [source, bytes].map(
        data => new Input({ formats: ALL_FORMATS, source: new BufferSource(new Uint8Array(data).buffer) }),
      );
      const track = (await cut!.getPrimaryVideoTrack()) ?? (await cut!.getPrimaryAudioTrack());
      const original = (await whole!.getTracks()).find(({ id }) => id === track!.id)!;
      const known = new Map<string, number[]>();
      for await (const packet of new EncodedPacketSink(original as never).packets()) {
        const key = Buffer.from(packet.data).toString('base64');
        known.set(key, [...(known.get(key) ?? []), packet.timestamp]);
      }
      let count = 0;
      for await (const packet of new EncodedPacketSink(track as never).packets()) {
        const times = known.get(Buffer.from(packet.data).toString('base64'));
        const at = packet.timestamp + file.seekActual!;
        assert.ok(
          times?.some(time => Math.abs(time - at) < 0.001),
          `a packet at ${at} is not in the source at ${times}`,
        );
        count++;
      }
      assert.ok(count > 0);
    });
  }

  it('ffmpeg, mp4box: a movie box moved to the front leaves all samples as they were', async () => {
    const { make } = cases.find(({ name }) => name === 'moov last')!;
    const { faststart, source } = await answersTo(await make(), 1, undefined);
    assert.deepEqual(await samplesOf(faststart!), await samplesOf(source));
  });
});
