import assert from 'node:assert/strict';
import { type ParsedPlaylist, Parser } from 'm3u8-parser';
import { type ParsedRepresentation, parse as parseMpd } from 'mpd-parser';

/** A part of a file. */
interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** A segment as a player gets it. */
export interface Segment {
  readonly url: string;
  /** Seconds, as the playlist says. */
  readonly duration: number;
  readonly bytes: Buffer;
}

/** A track of a film as a player gets it: its init segment and all its segments, in order. */
export interface Rendition {
  readonly url: string;
  readonly kind: 'video' | 'audio';
  readonly init: Buffer;
  readonly segments: readonly Segment[];
  /** Of the playlist or the manifest, as they stand there. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Of the media playlist; undefined in DASH. */
  readonly playlist: ParsedPlaylist | undefined;
}

/** A film as a player gets it. */
export interface Packaged {
  readonly text: string;
  readonly renditions: readonly Rendition[];
}

/** The bytes at an address, or a part of them; asserts that the answer is whole. */
export async function bytesOf(url: string, range?: ByteRange): Promise<Buffer> {
  const headers: Record<string, string> =
    range === undefined ? {} : { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` };
  const answer = await fetch(url, { headers });
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(answer.status, range === undefined ? 200 : 206, `${url}: ${answer.status} ${bytes.subarray(0, 200)}`);
  if (range !== undefined) assert.equal(bytes.length, range.length, url);
  return bytes;
}

/** A playlist as another's parser understands it. */
async function playlistOf(url: string): Promise<{ readonly text: string; readonly manifest: ParsedPlaylist }> {
  const text = (await bytesOf(url)).toString();
  const parser = new Parser();
  parser.push(text);
  parser.end();
  return { text, manifest: parser.manifest };
}

/** Reads a master playlist of HLS and everything that it leads to, but I-frames and subtitles. */
export async function loadHls(url: string): Promise<Packaged> {
  const { text, manifest } = await playlistOf(url);
  const renditions: Rendition[] = [];
  const seen = new Set<string>();
  const add = async (uri: string, kind: Rendition['kind'], attributes: Readonly<Record<string, unknown>>) => {
    const address = new URL(uri, url).href;
    if (seen.has(address)) return;
    seen.add(address);
    renditions.push(await mediaPlaylist(address, kind, attributes));
  };
  const sounds = Object.entries(manifest.mediaGroups?.AUDIO ?? {});
  for (const { uri, attributes } of manifest.playlists ?? []) {
    const isSound =
      attributes.RESOLUTION === undefined && /^(mp4a|Opus|fLaC|alac|[ae]c-3)/.test(String(attributes.CODECS));
    await add(uri, isSound ? 'audio' : 'video', attributes);
  }
  for (const [group, members] of sounds)
    for (const [name, media] of Object.entries(members))
      if (typeof media.uri === 'string') await add(media.uri, 'audio', { ...media, GROUP: group, NAME: name });
  return { text, renditions };
}

async function mediaPlaylist(
  url: string,
  kind: Rendition['kind'],
  attributes: Readonly<Record<string, unknown>>,
): Promise<Rendition> {
  const { manifest } = await playlistOf(url);
  assert.ok(manifest.segments.length > 0, `${url} has segments`);
  const map = manifest.segments[0]!.map;
  assert.ok(map !== undefined, `${url} has EXT-X-MAP`);
  const segments: Segment[] = [];
  for (const { uri, duration, byterange } of manifest.segments) {
    const address = new URL(uri, url).href;
    segments.push({ url: address, duration, bytes: await bytesOf(address, byterange) });
  }
  const init = await bytesOf(new URL(map.uri, url).href, map.byterange);
  return { url, kind, init, segments, attributes, playlist: manifest };
}

/** Reads an MPD and everything that it leads to, but subtitles. */
export async function loadDash(url: string): Promise<Packaged> {
  const text = (await bytesOf(url)).toString();
  const { playlists, mediaGroups } = parseMpd(text, { manifestUri: url });
  const renditions: Rendition[] = [];
  for (const playlist of playlists) renditions.push(await representation(playlist, 'video'));
  for (const group of Object.values(mediaGroups.AUDIO ?? {}))
    for (const media of Object.values(group))
      for (const playlist of media.playlists) renditions.push(await representation(playlist, 'audio'));
  return { text, renditions };
}

async function representation(parsed: ParsedRepresentation, kind: Rendition['kind']): Promise<Rendition> {
  const { attributes, sidx } = parsed;
  const common = { kind, attributes, playlist: undefined };
  if (sidx !== undefined) {
    const { resolvedUri: url, byterange } = sidx;
    const index = parseSidx(await bytesOf(url, byterange), byterange.offset);
    const segments: Segment[] = [];
    for (const { offset, length, duration } of index)
      segments.push({ url, duration, bytes: await bytesOf(url, { offset, length }) });
    return { ...common, url, segments, init: await bytesOf(url, { offset: 0, length: byterange.offset }) };
  }
  const [first] = parsed.segments;
  assert.ok(first?.map !== undefined, `representation ${attributes.NAME} has segments`);
  const segments: Segment[] = [];
  for (const { resolvedUri, duration } of parsed.segments)
    segments.push({ url: resolvedUri, duration, bytes: await bytesOf(resolvedUri) });
  return { ...common, url: first.map.resolvedUri, segments, init: await bytesOf(first.map.resolvedUri) };
}

/** A reference of `sidx`; bytes of the file, seconds. */
export interface Reference {
  readonly offset: number;
  readonly length: number;
  readonly duration: number;
  readonly time: number;
}

/**
 * References of the `sidx` (ISO/IEC 14496-12 section 8.16.3) that `bytes` begin with.
 * @param at its offset in the file
 */
export function parseSidx(bytes: Buffer, at: number): Reference[] {
  assert.equal(bytes.toString('latin1', 4, 8), 'sidx');
  const isLong = bytes[8] === 1;
  const timescale = bytes.readUInt32BE(16);
  const wide = (field: number) => Number(bytes.readBigUInt64BE(field));
  let time = isLong ? wide(20) : bytes.readUInt32BE(20);
  let offset = at + bytes.readUInt32BE(0) + (isLong ? wide(28) : bytes.readUInt32BE(24));
  const list = isLong ? 36 : 28;
  const found: Reference[] = [];
  for (let i = 0; i < bytes.readUInt16BE(list + 2); i++) {
    const entry = list + 4 + i * 12;
    const length = bytes.readUInt32BE(entry) & 0x7fff_ffff;
    const ticks = bytes.readUInt32BE(entry + 4);
    found.push({ offset, length, duration: ticks / timescale, time: time / timescale });
    offset += length;
    time += ticks;
  }
  return found;
}
