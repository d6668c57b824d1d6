import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../../../src/base/log.js';
import { Fmp4Recording } from '../../../../src/live/record/fmp4-recording.js';
import { finishRecordings } from '../../../../src/live/record/recordings.js';
import type { LiveHeaders, LiveTag } from '../../../../src/live/ring/live-tag.js';
import { complaints, probe } from '../../../support/ffmpeg.js';
import { audio, video } from '../../../support/flv.js';
import { liveFilm } from '../../../support/live-rig.js';

const SAMPLE = fileURLToPath(new URL('../../../../src/samples/plain.flv', import.meta.url));
const film = liveFilm(SAMPLE);
const folder = mkdtempSync(join(tmpdir(), 'moovedge-fmp4-'));
after(() => rmSync(folder, { recursive: true }));

/** Records; returns the paths of the files. */
async function record(name: string, fill: (recording: Fmp4Recording) => void, log = silentLog): Promise<string[]> {
  const at = join(folder, name);
  const recording = new Fmp4Recording(number => join(at, `${number}.mp4`), log);
  fill(recording);
  await recording.close();
  return readdirSync(at).map(each => join(at, each));
}

function pour(recording: Fmp4Recording, headers: LiveHeaders = film.headers, shift = 0): void {
  recording.setHeaders(headers);
  for (const tag of film.tags) recording.append({ ...tag, timestamp: tag.timestamp + shift });
}

/** Boxes of a file: type, offset, bytes. */
function boxes(bytes: Buffer) {
  const found: { type: string; at: number; size: number }[] = [];
  for (let at = 0; at < bytes.length; at += found.at(-1)!.size) {
    found.push({ type: bytes.toString('latin1', at + 4, at + 8), at, size: bytes.readUInt32BE(at) });
  }
  return found;
}

/** Packets by track: how long after the first one, to within a millisecond, and their data. */
async function packetsOf(path: string) {
  const { packets } = await probe(path);
  const start = Math.min(...packets.map(({ dts }) => dts));
  const round = (seconds: number) => Math.round((seconds - start) * 1000);
  return ['video0', 'audio0'].map(name =>
    packets.filter(({ track }) => track === name).map(({ pts, dts, key, hash }) => [round(pts), round(dts), key, hash]),
  );
}

describe('Fmp4Recording', () => {
  it('has the frames and times of the stream, in fragments of a second at most, with an index of key frames', async () => {
    const [path = ''] = await record('whole', recording => pour(recording, film.headers, 70_000));
    assert.deepEqual(await packetsOf(path), await packetsOf(SAMPLE));
    assert.equal(await complaints(path), '');
    const bytes = readFileSync(path);
    const found = boxes(bytes);
    const fragments = found.filter(({ type }) => type === 'moof');
    assert.ok(fragments.length >= (2 * film.duration) / 1000, `${fragments.length} fragments`);
    const last = found.at(-1)!;
    assert.equal(last.type, 'mfra');
    assert.equal(bytes.readUInt32BE(bytes.length - 4), last.size);
    const keys = film.tags.filter(({ keyFrame }) => keyFrame);
    const tfra = last.at + 8;
    assert.equal(bytes.readUInt32BE(tfra + 20), keys.length);
    for (let at = 0; at < keys.length; at++) {
      const offset = Number(bytes.readBigUInt64BE(tfra + 24 + at * 19 + 8));
      assert.ok(
        fragments.some(each => each.at === offset),
        `${offset}`,
      );
    }
  });

  it('begins another file with another codec, and none with other metadata', async () => {
    const sound = { headers: { ...film.headers, hasVideo: false } };
    delete (sound.headers as { video?: unknown }).video;
    const paths = await record('codecs', recording => {
      pour(recording);
      pour(recording, { ...film.headers, metadata: Buffer.from([2, 0, 1, 97]) }, film.duration);
      pour(recording, sound.headers, 2 * film.duration);
    });
    assert.equal(paths.length, 2);
    assert.equal(await complaints(...paths), '');
    const [both, alone] = await Promise.all(paths.map(probe));
    const frames = film.tags.filter(({ type }) => type === 9).length;
    assert.equal(both!.packets.filter(({ track }) => track === 'video0').length, 2 * frames);
    assert.deepEqual(
      alone!.streams.map(({ type }) => type),
      ['audio'],
    );
  });

  it('goes on over a new timeline, and keeps no more of a stream without key frames than a second', async () => {
    const [path = ''] = await record('epochs', recording => {
      recording.setHeaders(film.headers);
      const [key] = film.tags.filter(({ keyFrame }) => keyFrame) as [LiveTag];
      recording.append({ ...key, timestamp: 2 ** 31 - 1000 });
      recording.newEpoch();
      for (let at = 0; at < 200; at++) recording.append({ ...key, keyFrame: false, timestamp: at * 40 });
    });
    const { packets, duration } = await probe(path);
    assert.equal(packets.length, 201);
    assert.ok(duration > 7.9 && duration < 8.1, `${duration} s`);
  });

  it('leaves out a track that MP4 can not have, with a word', async () => {
    const lines: string[] = [];
    const log = { ...silentLog, warn: (_: object, text: string) => lines.push(text) };
    const { audio: _, ...headers } = film.headers;
    const paths = await record('mp3', recording => pour(recording, headers), log);
    assert.equal(lines.length, 1);
    assert.deepEqual(
      (await probe(paths[0]!)).streams.map(({ type }) => type),
      ['video'],
    );
    assert.equal(await complaints(...paths), '');
  });

  it('takes anything for frames without harm', async () => {
    mkdirSync(join(folder, 'odd'), { recursive: true });
    await record('odd', recording => {
      recording.append(film.tags[0]!);
      recording.setHeaders({ ...film.headers, video: video('config', 3, 1), audio: audio('config', 1, 1) });
      recording.setHeaders(film.headers);
      for (const body of [
        Buffer.alloc(0),
        Buffer.from([0x17]),
        Buffer.from([0x17, 1, 0, 0, 0]),
        Buffer.alloc(9, 0xff),
      ]) {
        for (const type of [8, 9, 18] as const) recording.append({ type, timestamp: 0, keyFrame: true, body: [body] });
      }
    });
  });

  it('that was cut off is finished, to the last whole fragment', async () => {
    const [path = ''] = await record('cut', pour);
    const bytes = readFileSync(path);
    const ends = boxes(bytes)
      .filter(({ type }) => type === 'mdat')
      .map(({ at, size }) => at + size);
    const lengths = [0, 7, 100, ends[0]! - 1, ends[0]!, ends[0]! + 5, ends[3]! - 1, ends[3]! + 1, bytes.length - 1];
    const cut = join(folder, 'cut-off');
    for (const length of lengths) {
      rmSync(cut, { recursive: true, force: true });
      mkdirSync(cut);
      copyFileSync(path, join(cut, 'x.mp4.part'));
      truncateSync(join(cut, 'x.mp4.part'), length);
      finishRecordings(cut, silentLog);
      const whole = ends.filter(end => end <= length).at(-1);
      assert.deepEqual(readdirSync(cut), whole === undefined ? [] : ['x.mp4'], `of ${length} bytes`);
      if (whole !== undefined) assert.equal(readFileSync(join(cut, 'x.mp4')).length, whole);
    }
    assert.equal(await complaints(join(cut, 'x.mp4')), '');
  });
});
