import { open } from 'node:fs/promises';
import type { Config } from '../../config/schema.js';
import { countPackets, type SourceFacts } from './source-facts.js';

/** Most bytes of a moov: a player has it before the first picture. */
const MOOV_MAX = 6 * 1024 * 1024;
/** Share of the source's time that may be missing at the end, beside half a second. */
const TOLERANCE = 0.005;

/**
 * Looks whether the renditions are what the source was: neither the exit code of ffmpeg nor what a header says tells.
 * @throws Error with what is wrong; another try may do
 */
export async function checkOutputs(
  files: readonly string[],
  facts: SourceFacts,
  { memory, timeout }: Config['transcode'],
  signal: AbortSignal,
): Promise<void> {
  let keyFrames: string | undefined;
  for (const file of files) {
    const name = file.split('/').at(-1);
    const counted = await countPackets(file, 0, { memory, timeout, signal });
    const missing = facts.duration - counted.duration;
    if (Math.abs(missing) > 0.5 + facts.duration * TOLERANCE) {
      throw new Error(`${name}: expected ${facts.duration.toFixed(2)} s, found ${counted.duration.toFixed(2)} s`);
    }
    const times = counted.keyFrames.join(' ');
    keyFrames ??= times;
    if (times !== keyFrames) throw new Error(`${name}: expected the key frames of the other qualities, found others`);
    const moov = await moovSize(file);
    if (moov > MOOV_MAX) throw new Error(`${name}: expected a moov of at most ${MOOV_MAX} bytes, found ${moov}`);
  }
}

/** Bytes of the moov box, which has to stand before the media. */
async function moovSize(path: string): Promise<number> {
  const file = await open(path, 'r');
  try {
    const head = Buffer.alloc(16);
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(head, 0, 16, at);
      const type = head.toString('latin1', 4, 8);
      const size = head.readUInt32BE(0);
      if (bytesRead < 8 || type === 'mdat' || size < 8) throw new Error(`${path}: expected moov before the media`);
      if (type === 'moov') return size;
      at += size;
    }
  } finally {
    await file.close();
  }
}
