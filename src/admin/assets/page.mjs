/** What the pages of the admin port share: figures in words, tiles, tables, and a question asked every other second. */

const INTERVAL = 2000;
/** Points of a sparkline: two minutes. */
const POINTS = 60;
const TOKEN_KEY = 'moovedge-admin-token';

export const byId = id => document.getElementById(id);
const history = new Map();

export const count = new Intl.NumberFormat('en', { maximumFractionDigits: 1, notation: 'compact' });

export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${(value / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

export const percent = value => (value === undefined ? '–' : `${(value * 100).toFixed(1)} %`);
export const milliseconds = value => (value === undefined ? '–' : `${(value * 1000).toPrecision(3)} ms`);

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

export function tile(name, text, point) {
  const node = element('div', undefined, 'tile');
  node.append(element('span', name, 'dim'), element('b', text));
  if (point !== undefined) {
    const points = [...(history.get(name) ?? []), point].slice(-POINTS);
    history.set(name, points);
    node.append(sparkline(points));
  }
  return node;
}

export function table(caption, head, rows) {
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

/**
 * Asks a route of the admin port every other second, with the token where one is wanted.
 * @param show takes the answer, the one before (undefined at first), and the seconds between them
 */
export function watch(route, show) {
  let last;
  const poll = async () => {
    const token = sessionStorage.getItem(TOKEN_KEY);
    try {
      const response = await fetch(route, { headers: token === null ? {} : { Authorization: `Bearer ${token}` } });
      byId('login').hidden = response.status !== 401;
      if (!response.ok) throw new Error(await response.text());
      const answer = await response.json();
      const now = performance.now();
      show(answer, last?.answer, last === undefined ? 1 : (now - last.now) / 1000);
      last = { now, answer };
      byId('error').textContent = '';
    } catch (error) {
      byId('error').textContent = error instanceof TypeError ? 'The edge does not answer.' : error.message;
    }
    setTimeout(poll, INTERVAL);
  };
  byId('login').addEventListener('submit', event => {
    event.preventDefault();
    sessionStorage.setItem(TOKEN_KEY, new FormData(event.target).get('token'));
  });
  poll();
}
