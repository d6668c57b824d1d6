import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import type { PrefetchProgress } from '../admin/prefetch.js';
import { EdgeError } from '../base/errors.js';
import { formatSize } from '../config/units.js';
import type { AdminClient } from './admin-client.js';

/** Bars on the screen at once. */
const BARS_MAX = 20;
const MIB = 2 ** 20;

/** What is fetched, and how. */
export interface PrefetchFlags {
  readonly seconds?: string;
  readonly hls?: boolean;
  /** Bytes a second. */
  readonly rate?: number;
}

/**
 * Has a running edge fill its cache, and shows how far it is: bars on a terminal, a line per URL elsewhere.
 * @throws EdgeError when a URL could not be fetched, or the edge can't be reached
 */
export async function prefetch(
  client: AdminClient,
  urls: readonly string[],
  { seconds, hls, rate }: PrefetchFlags,
): Promise<void> {
  const show = process.stdout.isTTY ? new Bars() : new Lines();
  const failed: string[] = [];
  let isDone = false;
  const body = { urls, seconds: seconds === undefined ? undefined : Number(seconds), hls, rate };
  try {
    for await (const line of client.lines('POST', '/prefetch', body)) {
      if (typeof line === 'object' && line !== null && 'done' in line) {
        isDone = true;
        continue;
      }
      const progress = line as PrefetchProgress;
      show.update(progress);
      if (progress.end !== undefined && progress.end !== 'ok') failed.push(`${progress.url}: ${progress.end}`);
    }
  } finally {
    show.close();
  }
  if (!isDone) throw new EdgeError('origin_unavailable', 'the edge ended before the prefetch was done');
  if (failed.length > 0)
    throw new EdgeError('origin_unavailable', `${failed.length} of ${urls.length} failed:\n${failed.join('\n')}`);
}

class Lines {
  update({ url, bytes, end }: PrefetchProgress): void {
    if (end !== undefined) process.stdout.write(`${url} ${bytes} bytes ${end}\n`);
  }

  close(): void {}
}

class Bars {
  readonly #bars = new Map<string, SingleBar>();
  readonly #screen = new MultiBar(
    { format: '{bar} {percentage}% {value}/{total} MiB {url} {end}', hideCursor: true },
    Presets.shades_classic,
  );

  update({ url, bytes, total, end }: PrefetchProgress): void {
    if (!this.#bars.has(url) && this.#bars.size >= BARS_MAX) {
      if (end !== undefined) this.#screen.log(`${url} ${formatSize(bytes)} ${end}\n`);
      return;
    }
    const bar = this.#bars.get(url) ?? this.#screen.create(1, 0, { url, end: '' });
    this.#bars.set(url, bar);
    bar.setTotal(Math.max(0.1, Math.round(((total ?? bytes) / MIB) * 10) / 10));
    bar.update(Math.round((bytes / MIB) * 10) / 10, { url, end: end ?? '' });
  }

  close(): void {
    this.#screen.stop();
  }
}
