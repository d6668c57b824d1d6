/** Live streams: shows what `/stats` tells of them, and rates, which are differences between two answers. */
import { answerLink, byId, bytes, count, table, tile, watch } from './page.mjs';

const sum = numbers => numbers.reduce((total, number) => total + number, 0);
const bits = value => `${count.format(value)}b/s`;
const seconds = value => (value === undefined ? '–' : `${(value / 1000).toFixed(1)} s`);

/** How the newest group of pictures stands: frames since its key frame. */
function groupOf({ framesSinceKeyFrame, keyFrameIntervalMs }) {
  if (framesSinceKeyFrame === undefined || keyFrameIntervalMs === undefined) return '–';
  return `${framesSinceKeyFrame} frames`;
}

function codecsOf({ video, audio }) {
  return [video, audio].filter(Boolean).join(', ') || '–';
}

function publisherOf({ publisher, state, from }) {
  if (state === 'pulled') return from ?? 'another server';
  return publisher === undefined ? '–' : [publisher.program, publisher.address].filter(Boolean).join(' · ');
}

/** Tags that viewers have lost in a second; counters of workers that are gone are gone with them. */
function lostOf(stream, last, elapsed) {
  const before = last?.find(({ name }) => name === stream.name)?.dropped;
  const rate = before === undefined ? 0 : Math.max(0, stream.dropped - before) / elapsed;
  return rate === 0 ? count.format(stream.dropped) : `${count.format(stream.dropped)} (${count.format(rate)} /s)`;
}

function show(stats, last, elapsed) {
  const streams = stats.services.live;
  byId('about').textContent = `${stats.version} · port ${stats.listen?.port ?? '–'}`;
  if (streams === undefined) {
    byId('tables').replaceChildren(table('Live streams are off: set live.rtmp', [], []));
    return;
  }
  const hls = sum(stats.workers.map(worker => worker.stats?.live?.viewers?.hls ?? 0));
  const http = sum(streams.map(({ viewers }) => viewers.http));
  const webSocket = sum(streams.map(({ viewers }) => viewers.websocket));
  const incoming = sum(streams.map(({ bitsPerSecond = 0 }) => bitsPerSecond));
  const published = streams.filter(({ state }) => state === 'publishing').length;
  byId('tiles').replaceChildren(
    tile('Published', `${published} of ${streams.filter(({ state }) => state !== 'pulled').length}`),
    tile('Received', bits(incoming), incoming),
    tile('Viewers by HTTP-FLV', count.format(http), http),
    tile('Viewers by WebSocket', count.format(webSocket), webSocket),
    tile('Viewers by HLS, about', count.format(hls), hls),
  );
  byId('tables').replaceChildren(
    table(
      'Streams',
      [
        'Stream',
        'State',
        'Codecs',
        'Bitrate',
        'Key frames every',
        'Since the last',
        'HTTP',
        'WebSocket',
        'Dropped',
        'Received',
        'From',
      ],
      streams.map(stream => [
        stream.name,
        stream.level === undefined ? stream.state : `${stream.state}, ${stream.level}`,
        codecsOf(stream),
        bits(stream.bitsPerSecond ?? 0),
        seconds(stream.keyFrameIntervalMs),
        groupOf(stream),
        stream.viewers.http,
        stream.viewers.websocket,
        lostOf(stream, last?.services.live, elapsed),
        bytes(stream.bytes ?? 0),
        publisherOf(stream),
      ]),
    ),
  );
}

byId('main').append(answerLink('As JSON', '/stats'));
watch('/stats', show);
