import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/schema.js';
import type { SourceFacts } from './source-facts.js';
import { runTool } from './tool.js';

/** Pictures of a sheet, across and down; width of each. */
const COLUMNS = 10;
const ROWS = 10;
const WIDTH = 160;
/** Most pictures of a timeline. */
const PICTURES_MAX = 400;
const FILE_MAX = 64 * 1024 * 1024;

/** Files that were made, by their names in the folder. */
export interface Previews {
  readonly poster: string;
  /** WebVTT that says which part of which sheet belongs to which time. */
  readonly thumbnails: string;
  readonly sheets: readonly string[];
}

/**
 * Makes a still picture and pictures for the timeline, out of a rendition.
 * @throws Error when ffmpeg fails
 */
export async function makePreviews(
  file: string,
  folder: string,
  facts: SourceFacts,
  { memory, timeout }: Config['transcode'],
  signal: AbortSignal,
): Promise<Previews> {
  const run = async (args: readonly string[]) => {
    const { code, hung, complaints } = await runTool({
      program: 'ffmpeg',
      args: ['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', '-progress', 'pipe:1', ...args],
      memory,
      fileSize: FILE_MAX,
      timeout,
      signal,
      line: line => line.startsWith('frame=') || line.startsWith('out_time_us='),
    });
    if (code !== 0) throw new Error(`ffmpeg failed at previews (${hung ? 'it stood still' : code}): ${complaints}`);
  };
  const at = Math.min(facts.duration / 3, 30).toFixed(3);
  await run(['-ss', at, '-i', file, '-frames:v', '1', '-q:v', '3', join(folder, 'poster.jpg')]);
  const interval = Math.max(2, Math.ceil(facts.duration / PICTURES_MAX));
  const height = Math.max(2, Math.round((WIDTH * facts.height) / facts.width / 2) * 2);
  const filter = `fps=1/${interval}:round=up,scale=${WIDTH}:${height},tile=${COLUMNS}x${ROWS}`;
  await run(['-skip_frame', 'nokey', '-i', file, '-vf', filter, '-q:v', '5', join(folder, 'timeline_%d.jpg')]);
  const count = Math.max(1, Math.ceil(facts.duration / interval));
  const cues = Array.from({ length: count }, (_, index) => {
    const [sheet, place] = [Math.floor(index / (COLUMNS * ROWS)) + 1, index % (COLUMNS * ROWS)];
    const [x, y] = [(place % COLUMNS) * WIDTH, Math.floor(place / COLUMNS) * height];
    const until = Math.min((index + 1) * interval, facts.duration);
    return `${clock(index * interval)} --> ${clock(until)}\ntimeline_${sheet}.jpg#xywh=${x},${y},${WIDTH},${height}\n`;
  });
  await writeFile(join(folder, 'timeline.vtt'), `WEBVTT\n\n${cues.join('\n')}`);
  const sheets = Array.from({ length: Math.ceil(count / (COLUMNS * ROWS)) }, (_, index) => `timeline_${index + 1}.jpg`);
  return { poster: 'poster.jpg', thumbnails: 'timeline.vtt', sheets };
}

function clock(seconds: number): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const milliseconds = Math.floor((seconds % 1) * 1000);
  return `${parts.map(part => String(part).padStart(2, '0')).join(':')}.${String(milliseconds).padStart(3, '0')}`;
}
