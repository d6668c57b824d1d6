const SIZE_UNITS = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;
const TIME_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/**
 * Bytes of a size such as `64MiB`, `1.5 GiB` or `8192` (bytes).
 * @returns a whole number of bytes, or undefined when `value` is not a size
 */
export function parseSize(value: unknown): number | undefined {
  const bytes = parseQuantity(value, SIZE_UNITS, 1);
  return bytes === undefined || bytes > Number.MAX_SAFE_INTEGER ? undefined : Math.floor(bytes);
}

/**
 * Milliseconds of a time such as `250ms`, `30s`, `1.5m` or `2h`; a number without a unit is only a time when it is 0.
 * @returns milliseconds, or undefined when `value` is not a time
 */
export function parseTime(value: unknown): number | undefined {
  const milliseconds = parseQuantity(value, TIME_UNITS, undefined);
  return milliseconds === undefined || milliseconds > Number.MAX_SAFE_INTEGER ? undefined : milliseconds;
}

/** The shortest text that `parseSize` reads as `bytes`. */
export function formatSize(bytes: number): string {
  return formatQuantity(bytes, SIZE_UNITS, 'B');
}

/** The shortest text that `parseTime` reads as `milliseconds`. */
export function formatTime(milliseconds: number): string {
  return formatQuantity(milliseconds, TIME_UNITS, 'ms');
}

function parseQuantity(value: unknown, units: Readonly<Record<string, number>>, bare: number | undefined) {
  if (value === 0) return 0;
  const match = /^(\d{1,16}(?:\.\d{1,9})?) ?([A-Za-z]*)$/.exec(String(value));
  if (match === null || (typeof value !== 'string' && typeof value !== 'number')) return undefined;
  const [, digits = '', unit = ''] = match;
  if (unit === '' && Number(digits) === 0) return 0;
  const scale = unit === '' ? bare : Object.hasOwn(units, unit) ? units[unit] : undefined;
  return scale === undefined ? undefined : Number(digits) * scale;
}

function formatQuantity(amount: number, units: Readonly<Record<string, number>>, smallest: string): string {
  if (amount === 0) return '0';
  const fitting = Object.entries(units).filter(([, scale]) => amount % scale === 0);
  const [unit, scale] = fitting.at(-1) ?? [smallest, 1];
  return `${amount / scale}${unit}`;
}
