/** Files of tracks as ffmpeg, mp4box and mediabunny read them: the source's packets, at the source's times. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ALL_FORMATS, BufferSource, EncodedPacketSink, Input } from 'mediabunny';
import { createFile, MP4BoxBuffer } from 'mp4box';
import type { MediaPackage, PackageTrack } from '../../../../src/media/packaging/media-package.js';
import { type ReadSamples, TrackFiles } from '../../../../src/media/packaging/track-file.js';
import { aac, clip, h264, picture, tone } from '../../../support/clips.js';
import { complaints, MediaFolder } from '../../../support/ffmpeg.js';
import { bytesOf } from '../../../support/open-spans.js';
import { makePackager } from '../../../support/package-of.js';
import { MemorySource, mediaObject } from '../../../support/virtual.js';
import { cases as fragmented } from '../fmp4/clips.js';
import { cases as films } from '../mp4/clips.js';

const run = promisify(execFile);
const CUT = { target: 2, shortest: 0.5 };
/** Seconds: movie timescales of ffmpeg are 1,000, and those of QuickTime 600. */
const ROUNDING = 0.0025;
const files = new TrackFiles({ hvc1: true, memory: 1 << 20 });

interface Packet {
  readonly pts: number;
  readonly dts: number;
  readonly size: number;
  readonly key: boolean;
  readonly hash: string;
}

/** Packets by stream, in the order of decoding, as if there were no edit lists. */
async function packetsOf(path: string): Promise<Map<number, Packet[]>> {
  const entries = 'packet=stream_index,pts_time,dts_time,size,flags,data_hash';
  const options = ['-v', 'error', '-ignore_editlist', '1', '-of', 'json', '-show_data_hash', 'sha256'];
  const { stdout } = await run('ffprobe', [...options, '-show_entries', entries, path], { maxBuffer: 1 << 28 });
  const found = new Map<number, Packet[]>();
  for (const { stream_index, pts_time, dts_time, size, flags, data_hash } of JSON.parse(stdout).packets) {
    const packet = { pts: +pts_time, dts: +dts_time, size: +size, key: flags.startsWith('K'), hash: data_hash };
    found.set(stream_index, [...(found.get(stream_index) ?? []), packet]);
  }
  return found;
}

/** Files that one process of ffmpeg reads. */
const BATCH = 100;

/**
 * The same of files of one stream each, as ffmpeg copies them: to start a program for each would take most of the time.
 * One format has the hashes, the other the flags.
 */
async function packetsOfEach(paths: readonly string[]): Promise<Packet[][]> {
  if (paths.length > BATCH)
    return [...(await packetsOfEach(paths.slice(0, BATCH))), ...(await packetsOfEach(paths.slice(BATCH)))];
  const [hashes, flags] = [join(folder.path, 'hashes.txt'), join(folder.path, 'flags.txt')];
  const inputs = paths.flatMap(path => ['-ignore_editlist', '1', '-i', path]);
  const copies = [...paths.flatMap((_, i) => ['-map', String(i)]), '-c', 'copy', '-copyts', '-copyinkf'];
  const hashed = [...copies, '-f', 'framehash', '-hash', 'sha256', hashes];
  const flagged = [...copies, '-f', 'framecrc', flags];
  await run('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...inputs, ...hashed, ...flagged]);
  const [hashText, flagText] = [await readFile(hashes, 'utf8'), await readFile(flags, 'utf8')];
  const bases = [...hashText.matchAll(/^#tb \d+: (\d+)\/(\d+)$/gm)].map(([, num, den]) => Number(num) / Number(den));
  const rows = (text: string) => [...text.matchAll(/^\d+, .*$/gm)].map(([line]) => line.split(/, */));
  const [hashRows, flagRows] = [rows(hashText), rows(flagText)];
  assert.equal(hashRows.length, flagRows.length);
  const found = paths.map((): Packet[] => []);
  for (const [row, [stream = '', dts, pts, , size, hash]] of hashRows.entries()) {
    const [sameStream, sameDts, , , , , ...more] = flagRows[row]!;
    assert.deepEqual([sameStream, sameDts], [stream, dts]);
    // As ffprobe prints it.
    const time = (ticks?: string) => Number((Number(ticks) * bases[Number(stream)]!).toFixed(6));
    const key = !more.some(each => each.startsWith('F='));
    found[Number(stream)]!.push({ pts: time(pts), dts: time(dts), size: Number(size), key, hash: `SHA256:${hash}` });
  }
  return found;
}

/** Numbers of ffprobe's streams, by `track_ID`. */
async function streamsOf(path: string): Promise<Map<number, number>> {
  const { stdout } = await run('ffprobe', ['-v', 'error', '-of', 'json', '-show_entries', 'stream=index,id', path]);
  const { streams } = JSON.parse(stdout) as { streams: { index: number; id: string }[] };
  return new Map(streams.map(({ index, id }) => [Number(id), index]));
}

const samples = (name: string) => fileURLToPath(new URL(`../../../../src/samples/${name}`, import.meta.url));
/** Seconds by which mediabunny, which reads no `tfxd`, has sound of Smooth Streaming late: a frame of AAC. */
const SMOOTH_SLACK = 1024 / 44_100;
const cases: readonly { name: string; make: () => Promise<string>; isTimed?: boolean; slack?: number }[] = [
  ...films.map(({ name, make }) => ({ name, make })),
  {
    name: 'HEVC with parameter sets that may be anywhere',
    make: () =>
      clip('hev1.mp4', [
        ...[...picture(4), '-c:v', 'libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-tag:v', 'hev1'],
        ...['-x265-params', 'log-level=none:pools=1:keyint=25:min-keyint=25:bframes=3:open-gop=0'],
      ]),
  },
  {
    name: 'frames of 59.94 a second, key frames where scenes change',
    make: () => clip('scenes.mp4', [...picture(6, '60000/1001'), ...h264(100, '-sc_threshold', '40')]),
  },
  {
    name: 'AAC as QuickTime describes it',
    make: () => clip('phone.mov', [...picture(5), ...tone(5), ...h264(), ...aac]),
  },
  // mediabunny sees only samples of `moov` where it has some, and knows no decoding times but those of `tfdt`.
  ...fragmented.map(({ name, make, hybrid = false, timed = true }) => {
    // Sound of Smooth Streaming begins before 0, see smooth.test.ts.
    const slack = name.startsWith('Smooth') ? SMOOTH_SLACK : 0;
    return { name: `fragmented, ${name}`, make, isTimed: timed && !hybrid, slack };
  }),
  { name: 'a sample with its index in front', make: async () => samples('bframes-faststart.mp4') },
  { name: 'a sample with its index behind', make: async () => samples('bframes-moov-last.mp4') },
  { name: 'a sample of long groups of pictures', make: async () => samples('long-gop.mp4') },
];

interface Packaged {
  readonly path: string;
  readonly bytes: Buffer;
  readonly pack: MediaPackage;
  readonly read: (track: PackageTrack) => ReadSamples;
}

async function packaged(path: string): Promise<Packaged> {
  const bytes = await readFile(path);
  const packager = makePackager();
  const object = mediaObject(new MemorySource(bytes, 'mixed'), { identity: path });
  const pack = await packager.package(object, CUT);
  return { path, bytes, pack, read: track => (first, end) => packager.samples(object, track, first, end) };
}

const heard = ({ tracks }: MediaPackage) => tracks.filter(({ kind }) => kind !== 'text');

let folder: MediaFolder;
before(async () => {
  folder = await MediaFolder.make();
});
after(() => folder.remove());

/** The file of a track, written, with its segments behind their init segment each. */
async function written({ bytes, read }: Packaged, track: PackageTrack) {
  const file = files.of(track);
  const whole = await bytesOf(file.spans(read(track)), bytes);
  const alone: string[] = [];
  for (let row = 0; row < track.segments.count; row++) {
    const segment = whole.subarray(file.segmentOffset(row), file.segmentOffset(row) + file.segmentSize(row));
    assert.deepEqual(await bytesOf(file.segment(row, read(track)), bytes), segment);
    alone.push(await folder.write(Buffer.concat([file.init, segment]), 'mp4'));
  }
  return { file, whole, path: await folder.write(whole, 'mp4'), alone };
}

describe('files of tracks', () => {
  for (const { name, make, isTimed = true, slack = 0 } of cases) {
    it(`have the packets of their source: ${name}`, async () => {
      const source = await packaged(await make());
      const streams = await streamsOf(source.path);
      const plain = await packetsOf(source.path);
      const shifts: number[] = [];
      for (const track of heard(source.pack)) {
        const { whole, path, alone } = await written(source, track);
        const theirs = plain.get(streams.get(track.id)!)!;
        const ours = (await packetsOf(path)).get(0)!;
        const { samples } = track.segments;
        const expected = theirs.slice(samples[0]!, samples[track.segments.count]!);
        const what = (list: readonly Packet[]) => list.map(({ hash, size, key }) => `${hash} ${size} ${key}`);
        assert.deepEqual(what(ours), what(expected), `packets of track ${track.id}`);
        const [dts, pts] = [expected[0]!.dts - ours[0]!.dts, expected[0]!.pts - ours[0]!.pts];
        for (const [i, packet] of ours.entries()) {
          assert.ok(Math.abs(expected[i]!.dts - packet.dts - dts) < 2e-6, `packet ${i} is decoded at ${packet.dts}`);
          assert.ok(Math.abs(expected[i]!.pts - packet.pts - pts) < 2e-6, `packet ${i} is presented at ${packet.pts}`);
        }
        await standAlone(alone, track, ours);
        if (!isTimed) continue;
        // ffmpeg presents fragments with negative offsets of composition, which sources may have, too late.
        const [here, there] = [await presented(whole, 1), await presented(source.bytes, track.id)];
        const data = here.map(packet => packet.data);
        assert.deepEqual(
          data,
          there.slice(samples[0]!, samples[0]! + here.length).map(packet => packet.data),
        );
        shifts.push(...here.map(({ time }, i) => there[samples[0]! + i]!.time - time));
      }
      if (!isTimed) return;
      const [least, most] = [Math.min(...shifts), Math.max(...shifts)];
      assert.ok(most - least < ROUNDING + slack, `tracks are off from the source by ${least} to ${most} s`);
      assert.ok(Math.abs(least - source.pack.origin) < ROUNDING + slack, `${least}, said to be ${source.pack.origin}`);
    });
  }

  for (const { name, make } of cases.filter((_, i) => i % 3 === 0)) {
    it(`have the samples of the package, as mp4box reads them: ${name}`, async () => {
      const source = await packaged(await make());
      for (const track of heard(source.pack)) {
        const { whole } = await written(source, track);
        const parsed = await mp4boxSamples(whole);
        const first = track.segments.samples[0]!;
        assert.equal(parsed.length, track.segments.samples[track.segments.count]! - first);
        const run = await source.read(track)(first, first + parsed.length);
        for (const [i, { dts, cts, size, duration, offset }] of parsed.entries()) {
          assert.deepEqual([cts - dts, size, duration], [run.compositions[i], run.sizes[i], run.durations[i]]);
          const at = run.offsets[i]!;
          assert.ok(whole.subarray(offset, offset + size).equals(source.bytes.subarray(at, at + size)));
        }
      }
    });
  }
});

/** Packets of a track as mediabunny reads them: when they are presented, and what they are. */
async function presented(bytes: Uint8Array, id: number): Promise<{ time: number; data: string }[]> {
  const input = new Input({ formats: ALL_FORMATS, source: new BufferSource(new Uint8Array(bytes).buffer) });
  const track = (await input.getTracks()).find(found => found.id === id);
  const packets: { time: number; data: string }[] = [];
  for await (const { timestamp, data } of new EncodedPacketSink(track as never).packets())
    packets.push({ time: timestamp, data: Buffer.from(data).toString('base64') });
  return packets;
}

/** Each segment alone has its packets, at their times, and decodes without a complaint. */
async function standAlone(paths: readonly string[], track: PackageTrack, all: readonly Packet[]): Promise<void> {
  const { samples, begins } = track.segments;
  const each = await packetsOfEach(paths);
  for (const [row, path] of paths.entries()) {
    const packets = each[row]!;
    const [from, to] = [samples[row]! - samples[0]!, samples[row + 1]! - samples[0]!];
    assert.deepEqual(packets, all.slice(from, to), `segment ${row + 1}`);
    assert.ok(packets[0]!.key, `segment ${row + 1} begins with a sync sample`);
    const times = (await mp4boxSamples(await readFile(path))).map(({ cts }) => cts);
    // What is decoded before an edit begins is not presented.
    assert.equal(Math.max(0, Math.min(...times) - track.editMedia), begins[row], `begin of segment ${row + 1}`);
  }
  // Pictures before a key frame of an open group lean on the segment before.
  if (!track.openGops) assert.equal(await complaints(...paths), '');
}

function mp4boxSamples(bytes: Uint8Array) {
  return new Promise<{ dts: number; cts: number; size: number; duration: number; offset: number }[]>(
    (resolve, reject) => {
      const file = createFile(true);
      file.onError = (module: string, message: string) => reject(new Error(`${module}: ${message}`));
      file.onReady = ({ tracks }) => resolve(file.getTrackSamplesInfo(tracks[0]!.id));
      file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(bytes).buffer, 0), true);
      file.flush();
    },
  );
}
