/**
 * The demo player: plays `?u=PATH` of the edge from `?start=SECONDS` on, as the file itself, which begins there, or
 * packaged, `?as=hls` or `?as=dash`. FLV, and so live streams, is played by mpegts.js; a live stream `….flv` by hls.js
 * with `?as=hls`. Below it is a map of the whole film by tiers, and what is in the cache.
 */
import { FilmMap } from './film-map.mjs';
import { askJson, byId, bytes, element, filmLink, onLogin, table } from './page.mjs';

const CHOICES = { file: 'file', hls: 'HLS', dash: 'DASH' };
/** Films of the cache that are listed. */
const LISTED = 50;
/** Seconds behind where it would be after which a live stream by HLS is taken there. */
const FAR_BEHIND = 3;
/** Milliseconds until a live stream is begun again that its player has given up: what it could not go over is past. */
const AGAIN = 2000;
/** Times that this is done, unless it has been played for so many milliseconds meanwhile. */
const [TRIES, PLAYED] = [5, 5000];

const video = Object.assign(element('video'), {
  id: 'video',
  controls: true,
  autoplay: true,
  muted: true,
  playsInline: true,
});
const status = Object.assign(element('p', undefined, 'dim'), { id: 'status' });
status.setAttribute('role', 'status');
const cost = Object.assign(element('p', undefined, 'dim'), { id: 'cost' });
const cached = element('section');

/** The form that says what is played. */
function choiceForm() {
  const form = Object.assign(element('form'), { id: 'form', method: 'get', action: '/player' });
  const field = (name, label, rest) => {
    const input = Object.assign(element('input'), { name, placeholder: label, ...rest });
    input.setAttribute('aria-label', label);
    return input;
  };
  const how = element('fieldset', undefined, 'choice');
  how.setAttribute('aria-label', 'How it is played');
  for (const [value, text] of Object.entries(CHOICES)) {
    const label = element('label');
    label.append(Object.assign(element('input'), { type: 'radio', name: 'as', value }), text);
    how.append(label);
  }
  form.append(
    field('u', '/path/of/a/film.mp4', { required: true }),
    field('start', 'start, s', { inputMode: 'decimal' }),
    how,
    element('button', 'Play from there'),
  );
  return form;
}

const FLV = /\.flv$/i;
const query = new URLSearchParams(location.search);
const path = query.get('u') ?? '';
const start = Number(query.get('start') || 0);
const as = query.get('as') ?? 'file';

/**
 * The URL of what is played: always on the edge's own port, whatever the path says.
 * @param leaf what is put behind the path
 * @param replaced what of the path is left out
 */
function mediaUrl(leaf = '', replaced = '') {
  const { playerScheme, playerPort } = document.body.dataset;
  const edge = `${playerScheme}://${location.hostname}:${playerPort}`;
  const url = new URL(edge);
  const [pathname, search = ''] = path.split('?', 2);
  url.pathname = pathname.replace(replaced, '') + leaf;
  url.search = search;
  return url;
}

function fail(text) {
  status.className = 'error';
  status.textContent = text;
}

/** What plays, for the line below the picture; and how far it is behind what is live, as far as it knows. */
let by = '';
let latency = () => 0;

/** Seconds of the whole film that are left out before what plays. */
let skipped = 0;
let map;

function showPosition() {
  if (map !== undefined && Number.isFinite(video.duration)) {
    map.position = (skipped + video.currentTime) / (skipped + video.duration);
  }
  if (status.className === 'error') return;
  const seconds = value => (Number.isFinite(value) ? value.toFixed(1) : '?');
  const parts = [`${seconds(video.currentTime)} s of ${seconds(video.duration)} s`];
  if (start > 0) parts[0] += `, asked for from ${start} s`;
  if (latency() > 0) parts.push(`${latency().toFixed(1)} s behind`);
  if (video.videoWidth > 0) parts.push(`${video.videoWidth} × ${video.videoHeight}`);
  if (by !== '') parts.push(by);
  status.textContent = parts.join(' · ');
}

function playFile(from = start) {
  const url = mediaUrl();
  skipped = Math.max(0, from);
  if (skipped > 0) url.searchParams.set('start', String(skipped));
  video.onerror = () => fail(`The browser can't play ${url.href}: ${video.error?.message || 'unknown format'}.`);
  video.src = url.href;
}

/** Goes to a place of the whole film, and says what that cost. */
function seek(share) {
  const seconds = Math.max(0, share * (skipped + video.duration));
  if (!Number.isFinite(seconds)) return;
  const measured = map.measure();
  const isWhole = as !== 'file' || FLV.test(path);
  cost.textContent = `Seeking to ${seconds.toFixed(1)} s …`;
  video.addEventListener(
    isWhole ? 'seeked' : 'loadeddata',
    async () => {
      cost.textContent = `Seek to ${seconds.toFixed(1)} s: ${await measured()}`;
      void map.refresh();
    },
    { once: true },
  );
  if (isWhole) video.currentTime = seconds;
  else playFile(seconds);
}

/** What is in the cache. */
async function showCached() {
  // Without a token films are played all the same.
  const { objects } = await askJson('/ls', { body: { limit: LISTED } }).catch(() => ({ objects: [] }));
  cached.hidden = objects.length === 0;
  const rows = objects.map(({ path: each, size, blocks }) => [
    filmLink(each),
    bytes(size),
    ...['memory', 'disk'].map(tier => bytes(Math.min(size, (blocks?.[tier] ?? 0) * 256 * 1024))),
  ]);
  cached.replaceChildren(table('In the cache', ['Film', 'Size', 'In memory', 'On disk'], rows));
}

/**
 * The answer to a request for what a player is about to read; undefined when it is not there, or this page is not
 * allowed to read it: players say less of what is wrong.
 */
async function canRead(url, method = 'GET') {
  try {
    const answer = await fetch(url, { method });
    if (answer.ok) return answer;
    fail(`${url.href}: ${answer.status}, ${(await answer.text()).trim()}`);
  } catch {
    fail(
      `This page may not read ${url.href}. Put ${location.origin} into http.cors.origins of the edge's configuration.`,
    );
  }
  return undefined;
}

/** A player that is a package of its own; undefined when it is not installed beside the edge. */
async function library(name, file) {
  try {
    return await import(file);
  } catch {
    fail(`This needs ${name} beside the edge: npm install ${name}`);
    return undefined;
  }
}

/** Whether a path is that of a live stream: nobody knows how long it will be. */
async function isLiveStream() {
  if (!FLV.test(path)) return false;
  const answer = await fetch(mediaUrl(), { method: 'HEAD' }).catch(() => undefined);
  return answer?.ok === true && answer.headers.get('Content-Length') === null;
}

/**
 * Plays, and a live stream again when its player has given it up: a browser does not take any other codec into a buffer
 * that it has begun, and connections break.
 * @param begin starts a player, which tells what it is given why it gives up; returns what ends it
 */
function keepPlaying(isLive, begin, tries = TRIES) {
  const begun = performance.now();
  const end = begin(why => {
    fail(why);
    const left = performance.now() > begun + PLAYED ? TRIES : tries - 1;
    if (!isLive || left < 0) return;
    end();
    setTimeout(() => keepPlaying(isLive, begin, left), AGAIN);
  });
}

async function playHls() {
  const isLive = await isLiveStream();
  const url = mediaUrl('/hls.m3u8', isLive ? FLV : '');
  if (!(await canRead(url))) return;
  const found = await library('hls.js', '/hls.mjs');
  if (found === undefined) return;
  const { default: Hls } = found;
  by = `${isLive ? 'live ' : ''}HLS by hls.js ${Hls.version}`;
  keepPlaying(isLive, gaveUp => {
    const hls = new Hls({
      enableWorker: false,
      startPosition: start > 0 && !isLive ? start : -1,
      // What playing begins behind, or falls behind when a publisher goes, is made up for.
      maxLiveSyncPlaybackRate: 1.2,
      liveSyncOnStallIncrease: 0,
    });
    if (isLive) {
      latency = () => hls.latency;
      // hls.js plays faster only where little is missing; who is farther behind is taken there.
      hls.on(Hls.Events.LEVEL_UPDATED, () => {
        const { liveSyncPosition, targetLatency } = hls;
        if (liveSyncPosition !== null && hls.latency > targetLatency + FAR_BEHIND) video.currentTime = liveSyncPosition;
      });
    }
    hls.on(Hls.Events.ERROR, (_, { fatal, details, error }) => {
      if (fatal) gaveUp(`hls.js: ${details}, ${error?.message}`);
    });
    hls.loadSource(url.href);
    hls.attachMedia(video);
    return () => hls.destroy();
  });
}

/** A player that is a classic script. */
function script(name, file) {
  return new Promise(resolve => {
    const element = document.createElement('script');
    element.src = file;
    element.addEventListener('load', () => resolve(true));
    element.addEventListener('error', () => {
      fail(`This needs ${name} beside the edge: npm install ${name}`);
      resolve(false);
    });
    document.head.append(element);
  });
}

async function playFlv() {
  const url = mediaUrl();
  if (start > 0) url.searchParams.set('start', String(start));
  const answer = await canRead(url, 'HEAD');
  if (answer === undefined || !(await script('mpegts.js', '/mpegts.js'))) return;
  const { mpegts } = window;
  // Nobody knows how long a live stream will be.
  const isLive = answer.headers.get('Content-Length') === null;
  by = `${isLive ? 'live ' : ''}FLV by mpegts.js ${mpegts.version}`;
  mpegts.LoggingControl.applyConfig({ enableAll: false });
  // A live stream is played as it comes, and a little faster while it is more than 0.6 s behind; who goes back stays
  // behind.
  const near = { liveSync: true, liveSyncMaxLatency: 0.6, liveSyncTargetLatency: 0.3, enableStashBuffer: false };
  keepPlaying(isLive, gaveUp => {
    const player = mpegts.createPlayer(
      { type: 'flv', url: url.href, isLive },
      isLive && !url.searchParams.has('start') ? near : {},
    );
    player.on(mpegts.Events.ERROR, (type, detail, info) => gaveUp(`mpegts.js: ${type}, ${detail}, ${info?.msg ?? ''}`));
    player.attachMediaElement(video);
    player.load();
    return () => player.destroy();
  });
}

async function playDash() {
  const url = mediaUrl('/dash.mpd');
  if (!(await canRead(url))) return;
  const found = await library('dashjs', '/dash.mjs');
  if (found === undefined) return;
  const { MediaPlayer } = found;
  const player = MediaPlayer().create();
  by = `DASH by dash.js ${player.getVersion()}`;
  player.updateSettings({ debug: { logLevel: 0 } });
  player.on(MediaPlayer.events.ERROR, ({ error }) => fail(`dash.js: ${error?.message ?? error}`));
  player.initialize(video, url.href, true, start > 0 ? start : undefined);
}

const form = choiceForm();
byId('main').replaceChildren(form, video, status);
form.elements.u.value = path;
form.elements.start.value = query.get('start') ?? '';
form.elements.as.value = Object.hasOwn(CHOICES, as) ? as : 'file';
for (const choice of form.elements.as) choice.addEventListener('change', () => form.requestSubmit());
if (path !== '') {
  map = new FilmMap(path, seek);
  byId('main').append(map.node, cost);
  for (const event of ['timeupdate', 'loadedmetadata', 'resize']) video.addEventListener(event, showPosition);
}
byId('main').append(cached);
onLogin(() => {
  void map?.refresh();
  void showCached();
});
void showCached();
if (path !== '') {
  if (as === 'hls') await playHls();
  else if (as === 'dash') await playDash();
  else if (FLV.test(path)) await playFlv();
  else playFile();
} else {
  video.hidden = true;
}
