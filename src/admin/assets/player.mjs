/**
 * The demo player: plays `?u=PATH` of the edge, from `?start=SECONDS` on, by asking the edge for a file that begins
 * there.
 */

const byId = id => document.getElementById(id);
const video = byId('video');
const status = byId('status');
const query = new URLSearchParams(location.search);
const path = query.get('u') ?? '';
const start = Number(query.get('start') || 0);

/** The URL that is played: always on the edge's own port, whatever the path says. */
function mediaUrl() {
  const { playerScheme, playerPort } = document.body.dataset;
  const edge = `${playerScheme}://${location.hostname}:${playerPort}`;
  const url = new URL(edge);
  const [pathname, search = ''] = path.split('?', 2);
  url.pathname = pathname;
  url.search = search;
  if (start > 0) url.searchParams.set('start', String(start));
  return url;
}

function showPosition() {
  const from = start > 0 ? `, asked for from ${start} s` : '';
  status.textContent = `${video.currentTime.toFixed(1)} s of ${Number.isFinite(video.duration) ? video.duration.toFixed(1) : '?'} s${from}`;
}

byId('form').elements.u.value = path;
byId('form').elements.start.value = query.get('start') ?? '';
if (path !== '') {
  const url = mediaUrl();
  video.src = url.href;
  video.addEventListener('timeupdate', showPosition);
  video.addEventListener('loadedmetadata', showPosition);
  video.addEventListener('error', () => {
    status.className = 'error';
    status.textContent = `The browser can't play ${url.href}: ${video.error?.message || 'unknown format'}.${
      /\.flv$/i.test(url.pathname) ? ' Browsers have no FLV player; try: ffplay or mpegts.js.' : ''
    }`;
  });
}
