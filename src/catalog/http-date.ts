const IMF_FIXDATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const RFC_850 = /^(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}:\d{2}:\d{2}) GMT$/;
const ASCTIME = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;
const FIFTY_YEARS = 50;

/** Reads a date in any of the forms of RFC 9110 section 5.6.7, as milliseconds since 1970; undefined when it is none. */
export function parseHttpDate(value: string | undefined, now = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  let time = Number.NaN;
  if (IMF_FIXDATE.test(text)) time = Date.parse(text);
  else if (ASCTIME.test(text)) time = Date.parse(`${text} GMT`);
  else {
    const match = RFC_850.exec(text);
    if (match !== null) time = Date.parse(`${match[2]} ${match[3]} ${fullYear(Number(match[4]), now)} ${match[5]} GMT`);
  }
  return Number.isNaN(time) ? undefined : time;
}

/** A year of two digits that seems to be more than 50 years ahead is in the past. */
function fullYear(digits: number, now: number): number {
  const year = new Date(now).getUTCFullYear();
  const found = year - (year % 100) + digits;
  return found > year + FIFTY_YEARS ? found - 100 : found;
}
