import type { Axis, Column, ResultTable } from './report.js';
import { type Drawing, text, WIDTH } from './svg.js';

/** Panels beside each other; a panel's share of the width, and its parts in pixels. */
const ABREAST = 2;
const PANEL = WIDTH / ABREAST;
const LEFT = 20;
const PLOT_WIDTH = PANEL - 2 * LEFT;
const PLOT_HEIGHT = 110;
const PANEL_HEIGHT = PLOT_HEIGHT + 66;
const HEAD = 30;

interface Point {
  at: number;
  middle: number;
  least: number;
  most: number;
}

/**
 * Each column of a table as a line in a panel of its own, over a logarithmic axis and from zero up, so that what is
 * flat looks flat.
 */
export function lines(table: ResultTable, axis: Axis, top: number): Drawing {
  const parts = [text(10, top + 20, table.title)];
  for (const [i, column] of table.columns.entries()) {
    const x = (i % ABREAST) * PANEL + LEFT;
    const y = top + HEAD + Math.floor(i / ABREAST) * PANEL_HEIGHT;
    parts.push(...panel(column, axis, pointsOf(table, axis, i), x, y));
  }
  return { parts, height: HEAD + Math.ceil(table.columns.length / ABREAST) * PANEL_HEIGHT };
}

function pointsOf(table: ResultTable, axis: Axis, column: number): Point[] {
  return table.rows.flatMap((row, i) => {
    const value = row.values[column];
    const at = axis.at[i];
    if (value === undefined || at === undefined) return [];
    if (typeof value === 'number') return [{ at, middle: value, least: value, most: value }];
    return [{ at, middle: value.median, least: value.least, most: value.most }];
  });
}

function panel({ title, digits = 0 }: Column, axis: Axis, points: readonly Point[], left: number, top: number) {
  const [first, last] = [Math.log(Math.min(...axis.at)), Math.log(Math.max(...axis.at))];
  const most = Math.max(...points.map(point => point.most), Number.MIN_VALUE);
  const bottom = top + 22 + PLOT_HEIGHT;
  const across = (at: number) => left + ((Math.log(at) - first) / (last - first || 1)) * PLOT_WIDTH;
  // A fifth of the height is left for the numbers above the points.
  const up = (value: number) => bottom - (Math.max(0, value) / most) * PLOT_HEIGHT * 0.8;
  const parts = [
    text(left, top + 12, title, 'fill="#222"'),
    `<path d="M${left} ${bottom}h${PLOT_WIDTH}" stroke="#888"/>`,
  ];
  const path = points.map(({ at, middle }) => `${across(at).toFixed(1)} ${up(middle).toFixed(1)}`).join('L');
  parts.push(`<path d="M${path}" fill="none" stroke="#4878a8" stroke-width="2"/>`);
  for (const { at, middle, least, most: highest } of points) {
    const x = across(at);
    const anchor = x < left + 20 ? 'start' : x > left + PLOT_WIDTH - 20 ? 'end' : 'middle';
    const place = `text-anchor="${anchor}" font-size="10"`;
    parts.push(`<path d="M${x.toFixed(1)} ${up(least).toFixed(1)}V${up(highest).toFixed(1)}" stroke="#222"/>`);
    parts.push(`<circle cx="${x.toFixed(1)}" cy="${up(middle).toFixed(1)}" r="3" fill="#4878a8"/>`);
    parts.push(text(x, up(highest) - 6, middle.toLocaleString('en', { maximumFractionDigits: digits }), place));
    parts.push(text(x, bottom + 14, at.toLocaleString('en', { maximumSignificantDigits: 3 }), place));
  }
  parts.push(text(left + PLOT_WIDTH / 2, bottom + 30, axis.title, 'text-anchor="middle" fill="#666"'));
  return parts;
}
