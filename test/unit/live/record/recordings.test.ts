import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../../../src/base/log.js';
import { FlvRecording } from '../../../../src/live/record/flv-recording.js';
import { finishRecordings, recordingOf } from '../../../../src/live/record/recordings.js';
import { audio, makeFlv, parseFlv, video } from '../../../support/flv.js';
import { liveFilm } from '../../../support/live-rig.js';

const SAMPLE = fileURLToPath(new URL('../../../../src/samples/plain.flv', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'moovedge-record-'));
after(() => rmSync(folder, { recursive: true }));

const [AUDIO, VIDEO] = [8, 9] as const;
const headers = {
  hasVideo: true,
  hasAudio: true,
  metadata: Buffer.from([2, 0, 1, 97]),
  video: video('config', 10, 1),
  audio: audio('config', 2, 1),
};

function tag(type: 8 | 9, timestamp: number, fill: number, keyFrame = false) {
  const data = type === VIDEO ? video(keyFrame ? 'key' : 'inter', 20, fill) : audio('frame', 5, fill);
  return { type, timestamp, keyFrame, body: [data] };
}

describe('FlvRecording', () => {
  it('writes what comes from its beginning at 0, headers where they change, over epochs', async () => {
    const path = join(folder, 'a/b/one.flv');
    const recording = new FlvRecording(path, silentLog);
    recording.setHeaders(headers);
    recording.append(tag(VIDEO, 70_000, 1, true), -1);
    const reused = Buffer.from(audio('frame', 5, 2));
    recording.append({ type: AUDIO, timestamp: 70_010, keyFrame: false, body: [reused] }, -1);
    reused.fill(99);
    recording.setHeaders({ ...headers, video: video('config', 10, 3) });
    recording.append(tag(VIDEO, 70_040, 3, true), -1);
    recording.newEpoch();
    recording.append(tag(VIDEO, 1000, 4, true), -1);
    recording.append(tag(AUDIO, 990, 5), -1);
    assert.deepEqual(
      readdirSync(join(folder, 'a/b')).filter(name => !name.endsWith('.part')),
      [],
    );
    await recording.close();
    assert.deepEqual(readdirSync(join(folder, 'a/b')), ['one.flv']);
    const tags = parseFlv(readFileSync(path));
    assert.deepEqual(
      tags.map(({ type, timestamp, data }) => [type, timestamp, data.at(-1)]),
      [
        [18, 0, 97],
        [VIDEO, 0, 1],
        [AUDIO, 0, 1],
        [VIDEO, 0, 1],
        [AUDIO, 10, 2],
        [VIDEO, 10, 3],
        [VIDEO, 40, 3],
        [VIDEO, 41, 4],
        [AUDIO, 31, 5],
      ],
    );
    assert.equal(readFileSync(path)[4], 5);
  });

  it('is given up when it can not be written, with one line, and takes no memory from then on', async () => {
    writeFileSync(join(folder, 'file'), '');
    const lines: string[] = [];
    const log = { ...silentLog, error: (_: object, text: string) => lines.push(text) };
    const recording = new FlvRecording(join(folder, 'file/no.flv'), log);
    recording.setHeaders(headers);
    for (let i = 0; i < 100; i++) recording.append(tag(VIDEO, i, 1, true), -1);
    await recording.close();
    assert.equal(lines.length, 1);
    const { bytes } = recording;
    recording.append(tag(VIDEO, 1, 1), -1);
    assert.equal(recording.bytes, bytes);
  });

  it('never writes into the file of another', async () => {
    const path = join(folder, 'twice.flv');
    const recordings = [1, 2].map(() => new FlvRecording(path, silentLog));
    for (const recording of recordings) {
      recording.setHeaders(headers);
      for (let i = 0; i < 10; i++) recording.append(tag(VIDEO, i, 1, true), -1);
    }
    await Promise.all(recordings.map(recording => recording.close()));
    assert.equal(parseFlv(readFileSync(path)).length, 13);
  });
});

describe('recordings', () => {
  it('are called after stream and time', async () => {
    const recording = recordingOf('app/cam', { folder: join(folder, 'named'), format: 'flv' }, silentLog);
    recording.setHeaders(headers);
    recording.append(tag(VIDEO, 0, 1, true), -1);
    await recording.close();
    const [name = ''] = readdirSync(join(folder, 'named/app'));
    assert.match(name, /^cam-\d{8}T\d{6}Z\.flv$/);
  });

  it('of one second have a name each', async () => {
    for (const format of ['flv', 'fmp4'] as const) {
      const at = join(folder, `second-${format}`);
      const media = { ...liveFilm(SAMPLE) };
      const recordings = Array.from({ length: 3 }, () => recordingOf('app/cam', { folder: at, format }, silentLog));
      for (const recording of recordings) {
        recording.setHeaders(media.headers);
        for (const each of media.tags.slice(0, 100)) recording.append(each, -1);
        await recording.close();
      }
      assert.equal(readdirSync(join(at, 'app')).length, 3, format);
    }
  });

  it('that were cut off are finished, to the last whole tag', () => {
    const tags = [0, 40, 80].map(timestamp => ({ type: VIDEO, timestamp, data: video('key', 30, timestamp) }));
    const { bytes, placed } = makeFlv(tags);
    const ends = placed.map(({ offset, data }) => offset + 15 + data.length);
    const cut = join(folder, 'cut');
    for (let length = 0; length <= bytes.length; length++) {
      rmSync(cut, { recursive: true, force: true });
      mkdirSync(cut);
      writeFileSync(join(cut, 'x.flv.part'), bytes);
      truncateSync(join(cut, 'x.flv.part'), length);
      finishRecordings(folder, silentLog);
      const whole = ends.filter(end => end <= length).at(-1);
      assert.deepEqual(readdirSync(cut), whole === undefined ? [] : ['x.flv'], `of ${length} bytes`);
      if (whole !== undefined) assert.equal(readFileSync(join(cut, 'x.flv')).length, whole);
    }
  });
});
