/** What the pages of the admin port share: figures in words, tiles, tables, and questions that bear the token. */

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

/** Whole seconds in their two largest units. */
export function duration(seconds) {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${Math.floor(seconds) % 60} s` : `${Math.floor(seconds)} s`;
}

export function element(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className !== undefined) node.className = className;
  return node;
}

/** A link to the player with a film of the edge. */
export function filmLink(path) {
  const link = element('a', path);
  link.href = `/player?u=${encodeURIComponent(path)}`;
  return link;
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

/** A table whose cells are texts, numbers or elements. It scrolls by itself where it is wider than the page. */
export function table(caption, head, rows) {
  const node = element('table');
  node.append(element('caption', caption));
  const headRow = node.createTHead().insertRow();
  for (const text of head) headRow.append(element('th', text));
  const body = node.createTBody();
  for (const row of rows) {
    const tr = body.insertRow();
    for (const cell of row) tr.insertCell().append(cell instanceof Node ? cell : String(cell));
  }
  const frame = element('div', undefined, 'scroll');
  frame.append(node);
  return frame;
}

/** Asks the admin port, with the token where there is one; the place for it is shown where one is wanted. */
export async function ask(route, { body, ...options } = {}) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  if (body !== undefined) Object.assign(options, { method: 'POST', body: JSON.stringify(body) });
  const response = await fetch(route, { ...options, headers });
  byId('login').hidden = response.status !== 401;
  if (!response.ok) throw new Error((await response.text()).trim());
  return response;
}

export const askJson = async (route, options) => (await ask(route, options)).json();

/** Says what has gone wrong; nothing when `error` is undefined. */
export function tell(error) {
  const text = error instanceof TypeError ? 'The edge does not answer.' : error?.message;
  byId('error').textContent = text ?? '';
}

/** A link to an answer of the admin port that only a request with the token gets. */
export function answerLink(text, route) {
  const link = element('a', text);
  link.href = route;
  link.addEventListener('click', async event => {
    event.preventDefault();
    try {
      const content = await (await ask(route)).blob();
      location.assign(URL.createObjectURL(content.slice(0, content.size, 'text/plain;charset=utf-8')));
    } catch (error) {
      tell(error);
    }
  });
  return link;
}

/** Has something done when the token has been given. */
export function onLogin(act) {
  byId('login').addEventListener('submit', event => {
    event.preventDefault();
    sessionStorage.setItem(TOKEN_KEY, new FormData(event.target).get('token'));
    act();
  });
}

/**
 * Asks a route of the admin port every other second.
 * @param show takes the answer, the one before (undefined at first), and the seconds between them
 */
export function watch(route, show) {
  let last;
  let timer;
  const poll = async () => {
    clearTimeout(timer);
    try {
      const answer = await askJson(route);
      const now = performance.now();
      show(answer, last?.answer, last === undefined ? 1 : (now - last.now) / 1000);
      last = { now, answer };
      tell(undefined);
    } catch (error) {
      tell(error);
    }
    clearTimeout(timer);
    timer = setTimeout(poll, INTERVAL);
  };
  onLogin(poll);
  poll();
}

byId('error').setAttribute('role', 'alert');
for (const link of document.querySelectorAll('nav a')) {
  if (link.pathname === location.pathname) link.setAttribute('aria-current', 'page');
}
