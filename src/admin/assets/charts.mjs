/** Charts of what the edge has done lately, as `/history` tells it, by uPlot. */
import { askJson, byId, bytes, count, element, percent } from './page.mjs';

/** Milliseconds between questions. */
const INTERVAL = 5000;
const HEIGHT = 170;
const SPANS = { '1h': 'an hour', '24h': 'a day' };

/** Lines of a chart are named by columns of `/history`; colours are those of the style. */
const CHARTS = [
  {
    title: 'Answers a second',
    lines: { requests: ['all', 1], errors: ['of status 5xx', 4] },
    format: value => count.format(value),
  },
  {
    title: 'Bytes a second',
    lines: { sent: ['sent', 1], fetched: ['from origins', 3] },
    format: value => `${bytes(value)}/s`,
  },
  {
    title: 'Blocks found in',
    lines: { memoryRatio: ['memory', 1], diskRatio: ['disk', 2], hitRatio: ['both', 3] },
    format: percent,
    range: [0, 1],
  },
  {
    title: 'First byte',
    lines: { ttfbP50: ['p50', 1], ttfbP99: ['p99', 3] },
    format: value => (value < 1 ? `${Number((value * 1000).toPrecision(2))} ms` : `${value.toFixed(1)} s`),
  },
  { title: 'Held', lines: { memoryBytes: ['in memory', 1], diskBytes: ['on disk', 2] }, format: bytes },
  { title: 'Answers under way', lines: { open: ['answers', 1] }, format: value => count.format(value) },
];

const style = document.createElement('link');
style.rel = 'stylesheet';
style.href = '/uplot.css';
document.head.append(style);

/** A colour of the style as it comes out: of one that is mixed from `currentColor` a canvas would make another. */
function colour(name) {
  const probe = document.body.appendChild(element('i'));
  probe.style.color = `var(${name})`;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function optionsOf({ title, lines, format, range }, width) {
  const line = {
    stroke: colour('--dim'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line') },
  };
  return {
    title,
    width,
    height: HEIGHT,
    cursor: { sync: { key: 'moovedge' }, drag: { x: false, y: false } },
    scales: { y: { range: range ?? ((_, low, high) => [Math.min(0, low ?? 0), (high ?? 0) > 0 ? high * 1.1 : 1]) } },
    axes: [
      line,
      { ...line, size: 84, values: (_, values) => values.map(value => (value === null ? '' : format(value))) },
    ],
    series: [
      {},
      ...Object.values(lines).map(([label, number]) => ({
        label,
        stroke: colour(`--line-${number}`),
        width: 1.5,
        points: { show: false },
        value: (_, value) => (value === null || value === undefined ? '–' : format(value)),
      })),
    ],
  };
}

/** Shows charts in `place`, and goes on to. */
export function showCharts(place) {
  let uPlot;
  const frame = element('section', undefined, 'charts');
  const choice = element('fieldset', undefined, 'choice');
  choice.setAttribute('aria-label', 'How far back');
  let span = '1h';
  for (const [value, text] of Object.entries(SPANS)) {
    const label = element('label');
    const input = Object.assign(document.createElement('input'), {
      type: 'radio',
      name: 'span',
      value,
      checked: value === span,
    });
    input.addEventListener('change', () => {
      span = value;
      void draw();
    });
    label.append(input, text);
    choice.append(label);
  }
  place.append(choice, frame);
  let plots = [];
  let columns;
  const widthOf = () => Math.max(220, frame.firstElementChild?.clientWidth ?? 320);
  const data = ({ lines }) => [columns.time, ...Object.keys(lines).map(name => columns[name])];
  const build = () => {
    for (const plot of plots) plot.destroy();
    frame.replaceChildren(...CHARTS.map(() => element('div', undefined, 'chart')));
    plots = CHARTS.map((chart, i) => new uPlot(optionsOf(chart, widthOf()), data(chart), frame.children[i]));
  };
  const draw = async () => {
    try {
      columns = await askJson(`/history?span=${span}`);
      ({ default: uPlot } = await import('./uplot.mjs'));
    } catch {
      // The page's own question says why. Without uPlot there are no charts.
      return;
    }
    if (plots.length === 0) build();
    else for (const [i, plot] of plots.entries()) plot.setData(data(CHARTS[i]));
  };
  new ResizeObserver(() => {
    for (const plot of plots) plot.setSize({ width: widthOf(), height: HEIGHT });
  }).observe(frame);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plots.length > 0 && build());
  setInterval(draw, INTERVAL);
  byId('login').addEventListener('submit', () => setTimeout(draw));
  void draw();
}
