import { type ResultTable, Sample } from './report.js';
import { type Drawing, text, WIDTH } from './svg.js';

const NAME_WIDTH = 180;
const BAR = 18;
const GAP = 6;
const HEAD = 34;

/** The first column of a table as bars, with a whisker from the least to the most. */
export function bars(table: ResultTable, top: number): Drawing {
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
  return { parts, height: HEAD + table.rows.length * (BAR + GAP) + GAP };
}
