import { readdirSync } from 'node:fs';
import { parseOrigin, shownUrl } from '../base/origin-url.js';
import { playerListener, schemeOf } from '../config/places.js';
import type { Config } from '../config/schema.js';

const MEDIA = /\.(mp4|m4v|m4a|mov|flv)$/i;
/** Files of an origin that are shown. */
const SHOWN_MAX = 6;
/** Second that the examples begin at. */
const START = 5;
/** A stream for somebody who has not named any. */
const LIVE_EXAMPLE = 'demo/test';
/** Arguments of ffmpeg: a picture that moves, with sound, a key frame every two seconds. */
const TEST_PICTURE =
  '-re -f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine -c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 50 -c:a aac';

/** What a person sees who has started an edge: URLs to try. */
export function greeting(config: Config): string {
  const { admin, origins } = config;
  const listener = playerListener(config);
  const edge = `${schemeOf(listener)}://${nameOf(listener.host)}:${listener.port}`;
  const files = origins.flatMap(mediaFiles).slice(0, SHOWN_MAX);
  const [first = `${origins[0]?.path ?? '/'}PATH/OF/A/FILM.mp4`] = files;
  const lines = [
    'moovedge serves:',
    ...origins.map(
      ({ name, host, path, url, urls }) =>
        `  ${host ?? ''}${path} from ${(url === undefined ? urls.map(each => each.url) : [url]).map(shownUrl).join(', ')} (${name})`,
    ),
    'Try:',
    ...(files.length === 0 ? [first] : files).map(path => `  ${edge}${path}`),
    `  ${edge}${first}?start=${START}   the film from its ${START}th second`,
  ];
  const pages = `http://${nameOf(admin.host)}:${admin.port}`;
  lines.push(...liveLines(config, edge, pages));
  lines.push(`Player:     ${pages}/player?u=${encodeURIComponent(first)}&start=${START}`, `Dashboard:  ${pages}/`);
  return `${lines.join('\n')}\n`;
}

/** How to publish a test picture, and where it is to be watched. */
function liveLines({ live }: Config, edge: string, pages: string): string[] {
  const { rtmp, path, publish } = live;
  if (rtmp === undefined) return [];
  const scheme = rtmp.tls.certificate === undefined ? 'rtmp' : 'rtmps';
  const [keyed] = Object.keys(publish.keys);
  const stream = keyed ?? LIVE_EXAMPLE;
  const target = `${scheme}://${nameOf(rtmp.host)}:${rtmp.port}/${stream}${keyed === undefined ? '' : '?key=KEY'}`;
  const watched = `${path}${stream}.flv`;
  return [
    'Publish a live test picture:',
    `  ffmpeg ${TEST_PICTURE} -f flv "${target}"`,
    'Watch it:',
    `  ${edge}${watched}   in ffplay, VLC or mpv`,
    `  ${pages}/player?u=${encodeURIComponent(watched)}   in a browser`,
  ];
}

/** URL paths of some media files at the top of a directory origin. */
function mediaFiles({ url, urls, path }: Config['origins'][number]): string[] {
  const base = url ?? urls[0]?.url;
  const place = base === undefined ? undefined : parseOrigin(base);
  if (place?.kind !== 'file') return [];
  try {
    const names = readdirSync(place.directory)
      .filter(name => MEDIA.test(name))
      .sort();
    return names.slice(0, SHOWN_MAX).map(name => `${path.replace(/\/?$/, '/')}${encodeURIComponent(name)}`);
  } catch {
    return [];
  }
}

function nameOf(host: string): string {
  if (host === '0.0.0.0' || host === '::' || host === '127.0.0.1' || host === '::1') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
