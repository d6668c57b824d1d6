import { bars } from './bars.js';
import { lines } from './lines.js';
import type { Report } from './report.js';
import { document, text } from './svg.js';

/** A report as a chart, SVG: lines for tables that have an axis, bars for the others. */
export function chart(name: string, report: Report): string {
  const parts = [text(10, 20, `${name}: ${report.title}`, 'font-weight="bold"')];
  let y = 30;
  for (const table of report.tables) {
    const drawing = table.axis === undefined ? bars(table, y) : lines(table, table.axis, y);
    parts.push(...drawing.parts);
    y += drawing.height;
  }
  return document(y, parts);
}
