import type { ByteSource } from '../../base/byte-source.js';
import { Amf0Reader, Amf0Writer } from '../flv/amf0.js';
import type { FlvIndex } from '../flv/flv-index.js';
import { AUDIO_TAG, VIDEO_TAG } from '../flv/tag.js';
import { TagReader } from '../flv/tag-reader.js';
import type { Reading } from '../io/reading.js';
import { distancesOf, type MediaReport, type TrackReport } from './media-report.js';

/** Most tags at the beginning that are looked at for codecs. */
const TAGS_MAX = 256;

/** What there is to tell of an FLV file; `yield*` it. */
export function* reportFlv(index: FlvIndex, source: ByteSource): Reading<MediaReport> {
  const codecs = new Map<number, string>();
  const tags = new TagReader(source, 13);
  for (let count = 0; count < TAGS_MAX && codecs.size < 2 && (yield* tags.next()); count++) {
    const type = tags.type & 0x1f;
    if (type === AUDIO_TAG || type === VIDEO_TAG) codecs.set(type, codecs.get(type) ?? tags.payload().codec);
  }
  const { positions, times, base, duration, metadata, seen } = index;
  const end = base + duration;
  const details = detailsOf(index);
  const track = (type: number, kind: string, leads: boolean): TrackReport => ({
    id: type,
    kind,
    codec: codecs.get(type)!,
    details: details[kind] ?? '',
    duration: undefined,
    samples: undefined,
    keyFrames: leads ? distancesOf(times, end, 1000) : undefined,
    tables:
      leads && metadata?.table
        ? [{ type: 'keyframes', entries: metadata.table.count, bytes: 18 * metadata.table.count }]
        : [],
  });
  const video = codecs.has(VIDEO_TAG) ? [track(VIDEO_TAG, 'video', true)] : [];
  const audio = codecs.has(AUDIO_TAG) ? [track(AUDIO_TAG, 'audio', video.length === 0)] : [];
  const found = seen
    ? 'found by looking at all tags: there is no key-frame table that holds'
    : 'as the key-frame table tells';
  return {
    format: 'FLV',
    layout: `${positions.length} places to begin, ${found}`,
    duration: duration / 1000,
    tracks: [...video, ...audio],
  };
}

/** What `onMetaData` says of picture and sound. */
function detailsOf({ metadata }: FlvIndex): Record<string, string> {
  if (!metadata) return {};
  const bytes = new Amf0Writer().ecmaArray(metadata.count).raw(metadata.properties).end().finish();
  const properties = new Amf0Reader(bytes).value(0);
  if (!(properties instanceof Map)) return {};
  const [width, height, rate] = ['width', 'height', 'audiosamplerate'].map(name => properties.get(name));
  return {
    ...(typeof width === 'number' && typeof height === 'number' && { video: `${width} × ${height}` }),
    ...(typeof rate === 'number' && { audio: `${rate} Hz${properties.get('stereo') === true ? ', 2 channels' : ''}` }),
  };
}
