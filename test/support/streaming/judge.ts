import assert from 'node:assert/strict';
import type { MediaFolder } from '../ffmpeg.js';
import { assertMpd } from './mpd-schema.js';
import * as oracles from './oracles.js';
import { bytesOf, loadDash, loadHls, type Packaged, parseSidx } from './packaged.js';

/** A film at an edge, and the file that it is. */
export interface JudgedFilm {
  readonly file: string;
  /** URL of the film itself. */
  readonly url: string;
  /** Whether an edit hides the beginning, which players are shown. */
  readonly isTrimmed?: boolean;
  /** Whether key frames are followed by pictures that lean on the group before. */
  readonly hasOpenGops?: boolean;
  /** Seconds by which ffmpeg has its pictures and its sound later than the file says, by the kind of stream. */
  readonly late: Readonly<Record<string, number>>;
}

/** Everything that another's tools can tell of a packaged film. */
export async function judge(film: JudgedFilm, folder: MediaFolder): Promise<void> {
  const source = onTime(await oracles.probeStreams(film.file), film.late);
  await judgeManifests(film.url, '', folder, film.hasOpenGops === true, (hls, probed) => {
    oracles.assertSamePackets(source, probed, omitted(hls));
  });
}

/**
 * The same of a clip, or of a set of films.
 * @param query of the manifests: `start` and `end`, or nothing
 */
export async function judgePart(
  files: readonly string[],
  url: string,
  query: string,
  folder: MediaFolder,
): Promise<void> {
  const sources = await Promise.all(files.map(file => oracles.probeStreams(file)));
  const rest = query && `?${query}`;
  await judgeManifests(url, rest, folder, false, (hls, probed) => {
    oracles.assertPartOfPackets(sources, probed);
    assert.equal(new Set(hls.renditions.map(oracles.fileOf)).size, files.length, 'all files are there');
    const { start = 0, end } = Object.fromEntries([...new URLSearchParams(query)].map(([k, v]) => [k, Number(v)]));
    for (const { packets } of probed) {
      const [from, to] = [Math.min(...packets.map(({ pts }) => pts)), Math.max(...packets.map(({ pts }) => pts))];
      if (end !== undefined) assert.ok(to - from > end - start - 0.2, `${to - from} s of ${end - start}`);
    }
  });
  // Noise that decoders of sound make up depends on what they have decoded before.
  if (sources[0]!.some(({ kind }) => kind === 'video'))
    for (const manifest of ['hls.m3u8', 'dash.mpd'])
      await oracles.assertPartOfPictures(files[0]!, `${url}/${manifest}${rest}`);
}

async function judgeManifests(
  url: string,
  query: string,
  folder: MediaFolder,
  hasOpenGops: boolean,
  check: (hls: Packaged, probed: oracles.ProbedRendition[]) => void,
): Promise<void> {
  const hls = await loadHls(`${url}/hls.m3u8${query}`);
  const probed = await oracles.probeRenditions(hls, folder);
  check(hls, probed);
  oracles.assertDurations(probed);
  oracles.assertBandwidth(hls);
  for (const { segments, kind, url } of hls.renditions)
    if (kind === 'video')
      assertBeginWithKeyFrames(probed.find(({ rendition }) => rendition.url === url)!, segments.length);
  if (!hasOpenGops) await oracles.assertEachDecodes(hls, folder);
  await assertSlices(probed);
  const dash = await loadDash(`${url}/dash.mpd${query}`);
  assertMpd(dash.text);
  assert.equal(dash.renditions.length, hls.renditions.length, 'DASH has the tracks that HLS has');
  for (const rendition of dash.renditions) {
    const same = hls.renditions.find(
      other => other.init.equals(rendition.init) && nameOf(other.url) === nameOf(rendition.url),
    );
    assert.ok(same, `${rendition.url} is in HLS too`);
    const whole = ({ segments }: typeof rendition) => Buffer.concat(segments.map(({ bytes }) => bytes));
    assert.ok(whole(same).equals(whole(rendition)), `${rendition.url} has the segments that HLS has`);
    const durations = rendition.segments.map(({ duration }) => duration);
    oracles.assertLasting(probed.find(each => each.rendition === same)!, durations, 'presentation');
  }
}

/** The name of a rendition's track, which all of its URLs hold. */
function nameOf(url: string): string | undefined {
  return /\/((?:f\d+-)?[va]\d+)(?=[./])/.exec(url)?.[1];
}

/** Has ffmpeg play a film through its demuxers of HLS and DASH. */
export async function judgeFrames({ file, url, isTrimmed }: JudgedFilm, kinds: string): Promise<void> {
  for (const manifest of ['hls.m3u8', 'dash.mpd']) {
    const options = isTrimmed ? ['-ignore_editlist', '1'] : [];
    if (kinds.includes('v')) await oracles.assertSameFrames(file, `${url}/${manifest}`, '0:v:0', options);
    if (kinds.includes('a')) await oracles.assertSameFrames(file, `${url}/${manifest}`, '0:a:0', options);
  }
}

function onTime(streams: readonly oracles.ProbedStream[], late: JudgedFilm['late']): oracles.ProbedStream[] {
  return streams.map(stream => ({
    ...stream,
    packets: stream.packets.map(packet => ({ ...packet, pts: packet.pts - (late[stream.kind] ?? 0) })),
  }));
}

/** Tracks that the playlist says in comments to be left out. */
function omitted({ text }: Packaged): number {
  return text.split('\n').filter(line => /^# .*track \d+/i.test(line)).length;
}

function assertBeginWithKeyFrames({ rendition, packets }: oracles.ProbedRendition, count: number): void {
  let at = 0;
  for (const [i, samples] of oracles.sampleCounts(rendition).entries()) {
    assert.equal(packets[at]!.key, true, `segment ${i} of ${rendition.url} begins with a key frame`);
    at += samples;
  }
  assert.ok(count > 0);
}

/** Segments are slices of the track's file, whose `sidx` tells where they are; ranges of it are what they are. */
async function assertSlices(probed: readonly oracles.ProbedRendition[]): Promise<void> {
  for (const found of probed) {
    const { url, init, segments } = found.rendition;
    const file = url.replace(/\.m3u8(?=\?|$)/, '.mp4');
    const whole = await bytesOf(file);
    assert.ok(whole.subarray(0, init.length).equals(init), `${file} begins with its init segment`);
    const index = whole.subarray(init.length);
    const references = parseSidx(index, init.length);
    assert.equal(references.length, segments.length, `references of ${file}`);
    let begin = 0;
    for (const [i, { offset, length, duration, time }] of references.entries()) {
      assert.equal(whole.toString('latin1', offset + 4, offset + 8), 'moof', `reference ${i} of ${file}`);
      const slice = whole.subarray(offset, offset + length);
      assert.ok(slice.equals(segments[i]!.bytes), `segment ${i} is a slice of ${file}`);
      if (i > 0) assert.ok(Math.abs(time - begin) < 1e-6);
      begin = time + duration;
    }
    const durations = references.map(({ duration }) => duration);
    oracles.assertLasting(found, durations, 'presentation');
    const last = references.at(-1)!;
    assert.equal(last.offset + last.length, whole.length, `${file} ends with its last segment`);
    const [from, length] = [init.length + 5, Math.min(whole.length - init.length - 5, 70_000)];
    assert.ok((await bytesOf(file, { offset: from, length })).equals(whole.subarray(from, from + length)));
  }
}
