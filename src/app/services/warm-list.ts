import { readFile, stat } from 'node:fs/promises';
import type { OwnAddress } from '../../admin/edge-fetch.js';
import { type PrefetchProgress, prefetchUrls } from '../../admin/prefetch.js';
import { type EdgeUrl, parseEdgeUrl } from '../../admin/purge-request.js';
import { bytesWithin } from '../../base/bytes-within.js';
import type { Log } from '../../base/log.js';
import type { Config } from '../../config/schema.js';
import { redactUrl } from '../../observe/redact.js';

/** Most bytes of a list, and most milliseconds until one has come from a URL. */
const LIST_MAX = 16 * 2 ** 20;
const LIST_TIMEOUT = 30_000;
/** Failures of a run that the log tells one by one. */
const TOLD_MAX = 20;

/** A list of the configuration. */
export type WarmSettings = Config['warm'][number];

/** What a run has come to. */
export interface WarmRun {
  /** Milliseconds since 1970 at which it began. */
  readonly time: number;
  readonly seconds: number;
  /** URLs that were fetched whole, and those that could not be. */
  readonly urls: number;
  readonly failed: number;
  readonly bytes: number;
  /** Why there was no list. */
  readonly error?: string;
}

/** When a list is due next: milliseconds since 1970, later than `after`. */
export function nextRun({ every, at }: Pick<WarmSettings, 'every' | 'at'>, after: number): number {
  return (Math.floor((after - at) / every) + 1) * every + at;
}

/** A list's name for people, without what its URL may keep secret. */
export function shownList({ list }: Pick<WarmSettings, 'list'>): string {
  return redactUrl(list);
}

/** Reads a list, and fetches what it names as a player would. */
export async function warmUp(
  settings: WarmSettings,
  address: OwnAddress,
  log: Log,
  signal: AbortSignal,
): Promise<WarmRun> {
  const time = Date.now();
  const started = performance.now();
  const count = { urls: 0, failed: 0, bytes: 0 };
  const seconds = () => Math.round((performance.now() - started) / 1000);
  const list = shownList(settings);
  const tell = (url: string, reason: string) => {
    if (++count.failed <= TOLD_MAX) log.warn({ list, url, reason }, 'a URL of a warm list was not fetched');
  };
  const progress = ({ url, bytes, end }: PrefetchProgress) => {
    if (end === undefined) return;
    count.bytes += bytes;
    if (end === 'ok') count.urls++;
    else if (!signal.aborted) tell(url, end);
  };
  try {
    const urls = urlsOf(await readList(settings.list, signal), tell);
    const { first, hls, rate } = settings;
    const request = { urls, seconds: first === undefined ? undefined : first / 1000, hls, rate };
    await prefetchUrls(address, request, progress, signal);
    const run = { time, seconds: seconds(), ...count };
    if (!signal.aborted) log.info({ list, ...run }, 'a warm list was fetched');
    return run;
  } catch (error) {
    const { message } = error as Error;
    if (!signal.aborted) log.warn({ list, error: message }, 'a warm list can not be read');
    return { time, seconds: seconds(), ...count, error: message };
  }
}

function urlsOf(text: string, wrong: (line: string, reason: string) => void): EdgeUrl[] {
  const lines = text.split('\n').map(line => line.trim());
  return lines.flatMap(line => {
    if (line === '' || line.startsWith('#')) return [];
    try {
      return [parseEdgeUrl(line)];
    } catch (error) {
      wrong(line.slice(0, 200), (error as Error).message);
      return [];
    }
  });
}

async function readList(list: string, signal: AbortSignal): Promise<string> {
  if (!list.includes('://')) {
    const { size } = await stat(list);
    if (size > LIST_MAX) throw tooLong();
    return readFile(list, 'utf8');
  }
  const answer = await fetch(list, { signal: AbortSignal.any([signal, AbortSignal.timeout(LIST_TIMEOUT)]) });
  if (!answer.ok || answer.body === null) {
    await answer.body?.cancel();
    throw new Error(`expected a list, found status ${answer.status}`);
  }
  const bytes = await bytesWithin(answer.body, LIST_MAX);
  if (bytes === undefined) throw tooLong();
  return bytes.toString();
}

function tooLong(): Error {
  return new Error(`expected a list of at most ${LIST_MAX} bytes`);
}
