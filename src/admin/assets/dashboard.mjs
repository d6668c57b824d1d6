/** The dashboard: asks `/stats` every other second and shows rates, which are differences between two answers. */

const INTERVAL = 2000;
/** Points of a sparkline: two minutes. */
const POINTS = 60;
const TOKEN_KEY = 'moovedge-admin-token';

const byId = id => document.getElementById(id);
const history = new Map();
let last;

const count = new Intl.NumberFormat('en', { maximumFractionDigits: 1, notation: 'compact' });

function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${(value / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

const percent = value => (value === undefined ? '–' : `${(value * 100).toFixed(1)} %`);
const milliseconds = value => (value === undefined ? '–' : `${(value * 1000).toPrecision(3)} ms`);

function element(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className !== undefined) node.className = className;
  return node;
}

function sparkline(points) {
  const svgNs = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(svgNs, 'svg');
  svg.setAttribute('viewBox', `0 0 ${POINTS - 1} 10`);
  svg.setAttribute('preserveAspectRatio', 'none');
  const line = document.createElementNS(svgNs, 'polyline');
  const top = Math.max(...points, 1e-9);
  line.setAttribute(
    'points',
    points.map((point, i) => `${i + POINTS - points.length},${9.5 - (9 * point) / top}`).join(' '),
  );
  svg.append(line);
  return svg;
}

function tile(name, text, point) {
  const node = element('div', undefined, 'tile');
  node.append(element('span', name, 'dim'), element('b', text));
  if (point !== undefined) {
    const points = [...(history.get(name) ?? []), point].slice(-POINTS);
    history.set(name, points);
    node.append(sparkline(points));
  }
  return node;
}

function table(caption, head, rows) {
  const node = element('table');
  node.append(element('caption', caption));
  const headRow = node.createTHead().insertRow();
  for (const text of head) headRow.append(element('th', text));
  const body = node.createTBody();
  for (const row of rows) {
    const tr = body.insertRow();
    for (const text of row) tr.insertCell().textContent = String(text);
  }
  return node;
}

function show(stats, seconds) {
  const { totals, workers } = stats;
  const rate = read => (last === undefined ? 0 : Math.max(0, (read(totals) - read(last.totals)) / seconds));
  const requests = rate(each => each.requests);
  const sent = rate(each => each.responseBytes);
  const fetched = rate(each => Object.values(each.origins).reduce((sum, origin) => sum + origin.bytes, 0));
  byId('about').textContent =
    `${stats.version} · port ${stats.listen.port} · ${stats.ready ? 'ready' : 'not ready'} · up ${stats.uptimeSeconds} s · generation ${stats.generation}`;
  byId('tiles').replaceChildren(
    tile('Requests', `${count.format(requests)} /s`, requests),
    tile('Sent', `${bytes(sent)}/s`, sent),
    tile('From origins', `${bytes(fetched)}/s`, fetched),
    tile('Block hit ratio', percent(totals.hitRatio)),
    tile('Answers under way', count.format(totals.openResponses), totals.openResponses),
    tile('First byte p50', milliseconds(totals.ttfb.p50)),
    tile('First byte p99', milliseconds(totals.ttfb.p99)),
    tile('Seek plan p99', milliseconds(totals.seekPlan.p99)),
  );
  byId('tables').replaceChildren(
    table(
      'Cache',
      ['Tier', 'Held', 'Capacity', 'Filled', 'Blocks found', 'Bad checksums'],
      Object.entries(totals.cache).map(([tier, { bytes: held, capacity }]) => [
        tier,
        bytes(held),
        bytes(capacity),
        percent(capacity === 0 ? undefined : held / capacity),
        count.format(totals.lookups[tier] ?? 0),
        totals.checksumFailures[tier] ?? 0,
      ]),
    ),
    table(
      'Origins',
      ['Name', 'Requests', 'Failures', 'Bytes'],
      Object.entries(totals.origins).map(([name, origin]) => [
        name,
        count.format(origin.requests),
        count.format(origin.failures),
        bytes(origin.bytes),
      ]),
    ),
    table(
      `Workers (${totals.workerRestarts} replaced after a death)`,
      ['Number', 'Generation', 'Process', 'State', 'Up'],
      workers.map(worker => [worker.index, worker.generation, worker.pid, worker.state, `${worker.uptimeSeconds} s`]),
    ),
    table(
      'Answers',
      ['Status', 'Number'],
      Object.entries(totals.requestsByClass).map(([status, n]) => [status, count.format(n)]),
    ),
  );
}

async function poll() {
  const token = sessionStorage.getItem(TOKEN_KEY);
  try {
    const response = await fetch('/stats', { headers: token === null ? {} : { Authorization: `Bearer ${token}` } });
    byId('login').hidden = response.status !== 401;
    if (!response.ok) throw new Error(await response.text());
    const stats = await response.json();
    const now = performance.now();
    show(stats, last === undefined ? 1 : (now - last.now) / 1000);
    last = { now, totals: stats.totals };
    byId('error').textContent = '';
  } catch (error) {
    byId('error').textContent = error instanceof TypeError ? 'The edge does not answer.' : error.message;
  }
  setTimeout(poll, INTERVAL);
}

byId('login').addEventListener('submit', event => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN_KEY, new FormData(event.target).get('token'));
});
poll();
