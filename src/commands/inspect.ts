import { EdgeError } from '../base/errors.js';
import { defaultConfig } from '../config/schema.js';
import { Flv } from '../media/flv/flv.js';
import { FragmentedMp4 } from '../media/fmp4/fragmented-mp4.js';
import { perform, type Reading } from '../media/io/reading.js';
import { ProgressiveMp4 } from '../media/mp4/progressive.js';
import { reportFlv } from '../media/report/flv-report.js';
import { reportFragments } from '../media/report/fragmented-report.js';
import type { MediaReport } from '../media/report/media-report.js';
import { reportMovie } from '../media/report/progressive-report.js';
import type { Format } from '../media/seek/format.js';
import type { MediaObject } from '../media/seek/media.js';
import { inspectPackaging } from './inspect-packaging.js';
import { type InspectedSource, openInspected } from './inspect-source.js';
import { inspectionText } from './inspect-text.js';
import type { Inspection, SeekCost } from './media-inspection.js';

/** What may be asked for. */
export interface InspectOptions {
  /** For programs: JSON instead of text. */
  readonly json?: boolean | undefined;
  /** Second of the seek whose cost is told; default the middle. */
  readonly start?: number | undefined;
}

/** A format, and what it has to tell of an index that it compiled. */
interface Inspector {
  readonly format: Format<unknown>;
  report(index: unknown, source: InspectedSource): Reading<MediaReport>;
}

function inspector<I>(
  format: Format<I>,
  report: (index: I, source: InspectedSource) => Reading<MediaReport>,
): Inspector {
  return { format: format as Format<unknown>, report: (index, source) => report(index as I, source) };
}

const { mp4, flv } = defaultConfig().media;
const INSPECTORS: readonly Inspector[] = [
  inspector(new ProgressiveMp4(mp4), reportMovie),
  inspector(new FragmentedMp4(), reportFragments),
  inspector(new Flv(flv), reportFlv),
];

/**
 * Tells of a media file what an operator wants to know: tracks, key frames, where the index stands, what a seek costs.
 * @param target path of a file, or `http(s)` URL
 * @param write takes the text
 * @throws EdgeError (rejects) when the file can't be read, is no media file, or can't be cut; the message says why
 */
export async function inspect(target: string, options: InspectOptions, write: (text: string) => void): Promise<void> {
  const found = await inspectMedia(target, options.start);
  write(options.json ? `${JSON.stringify(found, undefined, 2)}\n` : inspectionText(found));
}

/** See `inspect`. */
export async function inspectMedia(target: string, start?: number): Promise<Inspection> {
  const source = await openInspected(target);
  try {
    const object = { identity: target, etag: '"inspected"', lastModified: undefined, contentType: 'video/mp4', source };
    const { format, report, index, cost } = await compile(target, source);
    const told = await perform(report(index, source));
    return {
      target,
      size: source.size,
      ...told,
      index: cost,
      seek: await seekCost(format, index, object, start ?? told.duration / 2),
      packaging: await inspectPackaging(object, { format, index }),
    };
  } finally {
    await source.close();
  }
}

async function compile(target: string, source: InspectedSource) {
  const head = await source.read(0, Math.min(4096, source.size));
  source.forget();
  for (const { format, report } of INSPECTORS) {
    if (!format.matches(head)) continue;
    const cold = performance.now();
    const index = await format.compile(source);
    if (index === undefined) continue;
    const [blocks, first] = [source.fetched, performance.now() - cold];
    const warm = performance.now();
    if (source.holdsAll) await format.compile(source);
    const milliseconds = source.holdsAll ? performance.now() - warm : first;
    const cost = { memory: format.weight(index), stored: format.encode(index).length, milliseconds, blocks };
    return { format, report, index, cost };
  }
  const begins = Buffer.from(head.subarray(0, 12))
    .toString('latin1')
    .replace(/[^ -~]/g, '.');
  throw new EdgeError('unplayable', `${target} is neither MP4 nor FLV: it begins with "${begins}"`);
}

async function seekCost(
  format: Format<unknown>,
  index: unknown,
  object: MediaObject & { readonly source: InspectedSource },
  wanted: number,
): Promise<SeekCost | undefined> {
  const start = Math.round(wanted * 1000) / 1000;
  if (start === 0) return undefined;
  const seek = { start, end: undefined };
  object.source.forget();
  const file = await format.plan(index, object, seek);
  if (!file) return undefined;
  const blocks = object.source.fetched;
  const begun = performance.now();
  await format.plan(index, object, seek);
  const milliseconds = performance.now() - begun;
  const media = file.spans.at(-1)!;
  const made = file.spans.reduce((sum, span) => sum + (span.kind === 'literal' ? span.length : 0), 0);
  return {
    start,
    actual: file.seekActual ?? 0,
    milliseconds,
    blocks,
    size: file.size,
    head: file.size - media.length,
    made,
  };
}
