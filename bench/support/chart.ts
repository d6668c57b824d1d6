import type { Report, ResultTable } from './report.js';
import { Sample } from './report.js';

const WIDTH = 720;
const NAME_WIDTH = 180;
const BAR = 18;
const GAP = 6;
const HEAD = 34;

/** A report as bars: of every table the first column, with a whisker from the least to the most. SVG. */
export function chart(name: string, report: Report): string {
  let y = 30;
  const parts = [text(10, 20, `${name}: ${report.title}`, 'font-weight="bold"')];
  for (const table of report.tables) {
    parts.push(...bars(table, y));
    y += HEAD + table.rows.length * (BAR + GAP) + GAP;
  }
  const style = 'font-family="sans-serif" font-size="12"';
  const background = `<rect width="${WIDTH}" height="${y}" fill="#fff"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" ${style}>${background}${parts.join('')}</svg>\n`;
}

function bars(table: ResultTable, top: number): string[] {
  const parts = [text(10, top + 20, `${table.title}, ${table.columns[0]?.title ?? ''}`)];
  const values = table.rows.map(row => row.values[0]);
  const most = Math.max(
    ...values.map(value => (value instanceof Sample ? value.most : (value ?? 0))),
    Number.MIN_VALUE,
  );
  const scale = (value: number) => (value / most) * (WIDTH - NAME_WIDTH - 110);
  for (const [i, row] of table.rows.entries()) {
    const y = top + HEAD + i * (BAR + GAP);
    const value = values[i];
    const middle = value instanceof Sample ? value.median : (value ?? 0);
    const width = scale(middle);
    parts.push(text(10, y + BAR - 5, row.name));
    parts.push(`<rect x="${NAME_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" fill="#4878a8"/>`);
    if (value instanceof Sample) {
      const from = NAME_WIDTH + scale(value.least);
      const to = NAME_WIDTH + scale(value.most);
      const middleY = y + BAR / 2;
      parts.push(`<path d="M${from.toFixed(1)} ${middleY}H${to.toFixed(1)}" stroke="#222" stroke-width="2"/>`);
    }
    const digits = table.columns[0]?.digits ?? 0;
    const label = middle.toLocaleString('en', { maximumFractionDigits: digits });
    parts.push(text(NAME_WIDTH + scale(value instanceof Sample ? value.most : middle) + 8, y + BAR - 5, label));
  }
  return parts;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${escaped}</text>`;
}
