import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect, inspectMedia } from '../../../src/commands/inspect.js';
import type { Inspection } from '../../../src/commands/media-inspection.js';
import { MediaFolder, probe } from '../../support/ffmpeg.js';
import { serveVirtual, type VirtualServer } from '../../support/serve-virtual.js';

const samples = fileURLToPath(new URL('../../../src/samples/', import.meta.url));
const CLIPS = [
  'bframes-faststart.mp4',
  'bframes-moov-last.mp4',
  'long-gop.mp4',
  'fragmented.mp4',
  'keyframes.flv',
  'plain.flv',
];
const CODECS: Record<string, RegExp> = { h264: /^avc1/, aac: /^mp4a/ };

let server: VirtualServer;
let folder: MediaFolder;
before(async () => {
  [server, folder] = await Promise.all([serveVirtual({ folder: samples }), MediaFolder.make()]);
});
after(() => Promise.all([server.close(), folder.remove()]));

/** Tracks that players of HLS and DASH would get. */
const PACKAGED: Readonly<Record<string, readonly string[]>> = {
  'bframes-faststart.mp4': ['v1', 'a1'],
  'bframes-moov-last.mp4': ['v1', 'a1'],
  'long-gop.mp4': ['v1', 'a1'],
};

for (const [name, tracks] of Object.entries(PACKAGED)) {
  test(`${name}: what would be packaged`, async () => {
    const { packaging, duration } = await inspectMedia(join(samples, name));
    assert.equal(packaging.refused, undefined);
    assert.deepEqual(
      packaging.tracks.map(track => track.name),
      tracks,
    );
    for (const { segments, shortest, longest, peak, average } of packaging.tracks) {
      assert.ok(segments * longest >= duration - 0.1 && shortest <= longest && average <= peak && average > 0);
    }
  });
}

test('what would not be packaged, and why', async () => {
  const { packaging } = await inspectMedia(join(samples, 'plain.flv'));
  assert.deepEqual(packaging.tracks, []);
  assert.match(packaging.refused!, /it is no MP4/);
  let text = '';
  await inspect(join(samples, 'plain.flv'), {}, part => {
    text += part;
  });
  assert.match(text, /^ {2}HLS, DASH no: .*it is no MP4$/m);
});

for (const name of CLIPS) {
  test(`${name}: as ffprobe sees it, from the file and from a URL`, async () => {
    const [file, url, oracle] = await Promise.all([
      inspectMedia(join(samples, name)),
      inspectMedia(`${server.url}/${name}`),
      probe(join(samples, name)),
    ]);
    assert.ok(Math.abs(file.duration - oracle.duration) < 0.1, `${file.duration}, not ${oracle.duration}`);
    assert.deepEqual(
      file.tracks.map(({ kind }) => kind),
      oracle.streams.map(({ type }) => type),
    );
    for (const [i, { codec, details }] of file.tracks.entries()) {
      assert.match(codec, CODECS[oracle.streams[i]!.codec]!);
      assert.match(details, i === 0 ? /^320 × 180$/ : /^44100 Hz/);
    }
    const keys = oracle.packets.filter(({ track, key }) => track === 'video0' && key);
    const distances = file.tracks[0]!.keyFrames!;
    assert.equal(distances.count, keys.length);
    assert.ok(Math.abs(distances.average - (keys[1]!.pts - keys[0]!.pts)) < 0.01, `${distances.average} s`);
    assert.ok(file.seek!.actual <= file.seek!.start && file.seek!.blocks <= 1);
    const timeless = (found: Inspection) => ({
      ...found,
      target: '',
      index: { ...found.index, milliseconds: 0 },
      seek: { ...found.seek, milliseconds: 0 },
    });
    assert.deepEqual(timeless(url), timeless(file));
  });
}

test('text for people, JSON for programs', async () => {
  let [text, json] = ['', ''];
  await inspect(join(samples, 'long-gop.mp4'), { start: 20 }, part => {
    text += part;
  });
  await inspect(join(samples, 'long-gop.mp4'), { json: true, start: 20 }, part => {
    json += part;
  });
  assert.match(text, /moov stands first/);
  assert.match(text, /key frames: 3, every 12\.0 to 12\.0 s, 12\.0 s on average/);
  assert.match(text, /seek +to 20\.00 s: begins at 12\.00 s/);
  assert.match(text, /tables: stts 1 \(8 B\)/);
  assert.equal(JSON.parse(json).seek.actual, 12);
});

test('what can’t be inspected is told in a line', async () => {
  const text = join(folder.path, 'notes.mp4');
  writeFileSync(text, 'just some notes, nothing more');
  const broken = join(folder.path, 'broken.mp4');
  writeFileSync(broken, Buffer.from('\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x10moov\0\0\0\x64trak', 'latin1'));
  writeFileSync(join(folder.path, 'empty.mp4'), '');
  const cases: [string, string, RegExp][] = [
    [text, 'unplayable', /neither MP4 nor FLV: it begins with "just some no"/],
    [broken, 'unplayable', /needs 100 bytes where 8 are left/],
    [join(folder.path, 'empty.mp4'), 'unplayable', /neither MP4 nor FLV/],
    [join(folder.path, 'missing.mp4'), 'not_found', /no such file/],
    [folder.path, 'bad_request', /is not a file/],
    [`${server.url}/missing.mp4`, 'not_found', /answered 404/],
    ['http://127.0.0.1:2/film.mp4', 'origin_unavailable', /can't be reached/],
  ];
  for (const [target, code, message] of cases) await assert.rejects(inspectMedia(target), { code, message });
  await assert.rejects(inspectMedia(join(samples, 'plain.flv'), 99), { code: 'range_not_satisfiable' });
});

test('a server without ranges is named as such', async () => {
  const plain = createServer((_, response) => response.end('the whole film')).listen(0, '127.0.0.1');
  await new Promise(resolve => plain.once('listening', resolve));
  const url = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/film.mp4`;
  await assert.rejects(inspectMedia(url), { code: 'origin_protocol', message: /ignores Range/ });
  plain.closeAllConnections();
  await new Promise(resolve => plain.close(resolve));
});
