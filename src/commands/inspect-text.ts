import { BLOCK_SIZE } from '../base/block.js';
import type { Distances, TrackReport } from '../media/report/media-report.js';
import { bytes } from './figures.js';
import type { PackagingInspection } from './inspect-packaging.js';
import type { Inspection, SeekCost } from './media-inspection.js';

/** An inspection for people. */
export function inspectionText(found: Inspection): string {
  const { index, seek } = found;
  const rows: [name: string, text: string][] = [
    ['format', `${found.format}, ${bytes(found.size)}, ${time(found.duration)}`],
    ['layout', found.layout],
    ...found.tracks.flatMap(trackRows),
    ['index', `${bytes(index.memory)} in memory, ${bytes(index.stored)} stored`],
    ['', `compiled in ${milliseconds(index.milliseconds)} from ${blocks(index.blocks)}`],
    ...(seek ? seekRows(seek) : []),
    ...packagingRows(found.packaging),
  ];
  return `${found.target}\n${rows.map(([name, text]) => `  ${name.padEnd(10)}${text}\n`).join('')}`;
}

function trackRows({
  id,
  kind,
  codec,
  details,
  duration,
  samples,
  keyFrames,
  tables,
}: TrackReport): [string, string][] {
  const numbers = [
    duration === undefined ? '' : time(duration),
    samples === undefined ? '' : `${samples} ${samples === 1 ? 'sample' : 'samples'}`,
  ];
  const said = [codec, details, ...numbers].filter(text => text !== '');
  const weights = tables.map(({ type, entries, bytes: size }) => `${type} ${entries} (${bytes(size)})`);
  return [
    [`track ${id}`, `${kind}: ${said.join(', ')}`],
    ...(keyFrames ? [['', `key frames: ${distances(keyFrames)}`] as [string, string]] : []),
    ...(weights.length > 0 ? [['', `tables: ${weights.join(', ')}`] as [string, string]] : []),
  ];
}

function distances({ count, shortest, average, longest }: Distances): string {
  const figures = [shortest, average, longest].map(second => second.toFixed(second < 10 ? 2 : 1));
  return `${count}, every ${figures[0]} to ${figures[2]} s, ${figures[1]} s on average`;
}

function seekRows({
  start,
  actual,
  milliseconds: spent,
  blocks: read,
  size,
  head,
  made,
}: SeekCost): [string, string][] {
  return [
    ['seek', `to ${time(start)}: begins at ${time(actual)}, ${bytes(size)} with a head of ${bytes(head)}`],
    ['', `planned in ${milliseconds(spent)}, ${bytes(made)} of memory, ${blocks(read)} read when nothing is cached`],
  ];
}

function packagingRows({ refused, tracks, leftOut }: PackagingInspection): [string, string][] {
  if (refused !== undefined) return [['HLS, DASH', `no: ${refused}`]];
  const rows = tracks.map(track => {
    const { codecs, segments, shortest, longest, peak, average } = track;
    const lengths = `${segments} ${segments === 1 ? 'segment' : 'segments'} of ${time(shortest)} to ${time(longest)}`;
    const rates = peak === 0 ? '' : `, ${kilobits(peak)} at most, ${kilobits(average)} on average`;
    return `${track.name}: ${codecs}, ${lengths}${rates}`;
  });
  return [...rows, ...leftOut].map((text, i) => [i === 0 ? 'HLS, DASH' : '', text]);
}

function kilobits(rate: number): string {
  return `${Math.round(rate / 1000)} kb/s`;
}

function blocks(count: number): string {
  return `${count} ${count === 1 ? 'block' : 'blocks'} (${bytes(count * BLOCK_SIZE)})`;
}

function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

/** Hours, minutes and seconds as needed. */
function time(seconds: number): string {
  const rest = (seconds % 60).toFixed(2);
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${rest} s`;
  const padded = rest.padStart(5, '0');
  return minutes < 60
    ? `${minutes}:${padded}`
    : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${padded}`;
}
