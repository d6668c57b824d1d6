const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAY = `(?:${DAYS.join('|')})`;
const LONG_DAY = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day';
const MONTH = `(?<month>${MONTHS.join('|')})`;
const TIME = '(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)';

const FORMATS = [
  new RegExp(`^${DAY}, (?<day>\\d{2}) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^${LONG_DAY}, (?<day>\\d{2})-${MONTH}-(?<year>\\d{2}) ${TIME} GMT$`),
  new RegExp(`^${DAY} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
];

/**
 * Reads an HTTP-date in any of its three formats (RFC 9110 section 5.6.7): IMF-fixdate, RFC 850 and asctime.
 * @param now milliseconds since 1970; decides the century of an RFC 850 date
 * @returns milliseconds since 1970, or undefined when the text is no valid date
 */
export function parseHttpDate(text: string | undefined, now = Date.now()): number | undefined {
  if (text === undefined) return undefined;
  for (const format of FORMATS) {
    const parts = format.exec(text.trim())?.groups;
    if (parts === undefined) continue;
    const month = MONTHS.indexOf(parts.month!);
    const day = Number(parts.day);
    let year = Number(parts.year);
    if (parts.year!.length === 2) year = fullYear(year, now);
    const time = new Date(0);
    time.setUTCFullYear(year, month, day);
    if (time.getUTCMonth() !== month || time.getUTCDate() !== day) return undefined;
    return time.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second));
  }
  return undefined;
}

/** The year that ends in these two digits and is at most 50 years in the future. */
function fullYear(digits: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + digits;
  if (year > thisYear + 50) return year - 100;
  return year <= thisYear - 50 ? year + 100 : year;
}

/**
 * An IMF-fixdate (RFC 9110 section 5.6.7).
 * @param time milliseconds since 1970
 * @returns undefined when the time has no such form
 */
export function formatHttpDate(time: number): string | undefined {
  const date = new Date(time);
  const year = date.getUTCFullYear();
  return year >= 0 && year <= 9999 ? date.toUTCString() : undefined;
}
