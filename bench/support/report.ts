/** Values of one measurement over the rounds. */
export class Sample {
  readonly #sorted: readonly number[];

  constructor(values: readonly number[]) {
    this.#sorted = [...values].sort((a, b) => a - b);
  }

  get median(): number {
    const middle = (this.#sorted.length - 1) / 2;
    return ((this.#sorted[Math.floor(middle)] ?? Number.NaN) + (this.#sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
  }

  /** The value below which so large a share of all lies, from 0 to 1. */
  quantile(share: number): number {
    return this.#sorted[Math.min(this.#sorted.length - 1, Math.floor(this.#sorted.length * share))] ?? Number.NaN;
  }

  get least(): number {
    return this.#sorted[0] ?? Number.NaN;
  }

  get most(): number {
    return this.#sorted.at(-1) ?? Number.NaN;
  }

  toJSON(): { median: number; least: number; most: number } {
    return { median: this.median, least: this.least, most: this.most };
  }
}

/** A column of a table. */
export interface Column {
  title: string;
  /** Digits after the point. */
  digits?: number;
}

/** A row: its name, and a value for each column; undefined where there is none. */
export interface Row {
  name: string;
  values: readonly (Sample | number | undefined)[];
}

/** What grows from row to row of a table. */
export interface Axis {
  title: string;
  /** Its value at each row, above 0. */
  at: readonly number[];
}

/** A table of results. A chart shows the first of its `columns` as bars or, with an axis, each of them as a line. */
export interface ResultTable {
  title: string;
  axis?: Axis;
  columns: readonly Column[];
  rows: readonly Row[];
}

/** What a benchmark has found. */
export interface Report {
  /** What was measured, and how. */
  title: string;
  tables: readonly ResultTable[];
  /** What the reader must know, such as peers that were left out. */
  notes: readonly string[];
}

/** A table as text: medians, and the spread behind them where it is more than 2 %. */
function formatTable(table: ResultTable): string {
  const cells = [
    ['', ...table.columns.map(column => column.title)],
    ...table.rows.map(row => [
      row.name,
      ...row.values.map((value, i) => formatValue(value, table.columns[i]?.digits ?? 0)),
    ]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map(row => row[column]?.length ?? 0)));
  const lines = cells.map(row =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  return [table.title, ...lines.map(line => `  ${line.trimEnd()}`)].join('\n');
}

function formatValue(value: Sample | number | undefined, digits: number): string {
  if (value === undefined) return '-';
  const number = (x: number) =>
    x.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  if (typeof value === 'number') return number(value);
  const spread = (value.most - value.least) / value.median / 2;
  return spread > 0.02 ? `${number(value.median)} ±${Math.round(spread * 100)}%` : number(value.median);
}

/** Everything of a report as text. */
export function formatReport(name: string, report: Report): string {
  const tables = report.tables.map(table => `\n${formatTable(table)}\n`).join('');
  const notes = report.notes.map(note => `  ${note}\n`).join('');
  return `\n${name}: ${report.title}\n${tables}${notes === '' ? '' : `\n${notes}`}`;
}
