import type { FetchSink } from './edge-fetch.js';
import type { EdgeUrl } from './purge-request.js';

/** Most characters of a playlist, and most URLs that those of one film may name. */
const PLAYLIST_MAX = 8 * 1024 * 1024;
const URLS_MAX = 100_000;

/** An attribute of a tag: its name, and what its quotes hold. */
const ATTRIBUTE = /([A-Z0-9-]+)=(?:"([^"]*)"|[^,]*)/g;

/** What a line of a playlist names: a playlist or a segment, and when that begins. */
interface Named {
  readonly uri: string;
  /** Second of the playlist; 0 for what is no segment. */
  readonly begin: number;
}

/** The multivariant playlist of a film; a playlist is itself. */
export function manifestOf(url: EdgeUrl): EdgeUrl {
  return url.path.endsWith('.m3u8') ? url : { ...url, path: `${url.path}/hls.m3u8` };
}

/**
 * Fetches a playlist and all that it names, one after the other.
 * @param seconds of which segments are fetched; all when undefined
 * @param fetch gives `ok` or why a URL could not be fetched
 * @param told is told of all bytes
 * @returns `ok`, or why the first URL that failed could not be fetched
 */
export async function fetchPlaylists(
  manifest: EdgeUrl,
  seconds: number | undefined,
  fetch: (url: EdgeUrl, sink: FetchSink) => Promise<string>,
  told: Pick<FetchSink, 'bytes'>,
): Promise<string> {
  const seen = new Set<string>();
  const queue = [manifest];
  for (const url of queue) {
    const isPlaylist = url.path.endsWith('.m3u8');
    const chunks: Uint8Array[] = [];
    let size = 0;
    const sink: FetchSink = {
      length() {},
      bytes(chunk) {
        told.bytes(chunk);
        size += chunk.length;
        if (isPlaylist && size <= PLAYLIST_MAX) chunks.push(chunk);
      },
    };
    const end = await fetch(url, sink);
    if (end !== 'ok') return `${url.path}: ${end}`;
    if (!isPlaylist) continue;
    for (const { uri, begin } of namedIn(Buffer.concat(chunks).toString())) {
      const child = childOf(url, uri);
      const key = `${child?.path}?${child?.query}`;
      if (child === undefined || begin >= (seconds ?? Number.POSITIVE_INFINITY) || seen.has(key)) continue;
      if (seen.size === URLS_MAX) return `more than ${URLS_MAX} URLs`;
      seen.add(key);
      queue.push(child);
    }
  }
  return 'ok';
}

/** What a playlist names: lines that are no tags, and URIs of tags. */
export function* namedIn(playlist: string): Generator<Named> {
  let begin = 0;
  let next = 0;
  for (const line of playlist.split(/\r?\n/)) {
    if (line.startsWith('#')) {
      const attributes = [...line.matchAll(ATTRIBUTE)];
      const uri = attributes.find(([, name]) => name === 'URI')?.[2];
      if (uri !== undefined) yield { uri, begin: 0 };
      next += Number(/^#EXTINF:([\d.]+)/.exec(line)?.[1] ?? 0);
    } else if (line !== '') {
      yield { uri: line, begin };
      begin = next;
    }
  }
}

/** The URL that a playlist means by a URI; undefined for one of another server. */
function childOf({ host, path }: EdgeUrl, uri: string): EdgeUrl | undefined {
  const base = 'http://edge.invalid';
  if (!URL.canParse(uri, base + path)) return undefined;
  const url = new URL(uri, base + path);
  return url.origin === base ? { host, path: url.pathname, query: url.search.slice(1) } : undefined;
}
