import { type AccessField, PLACEHOLDER } from '../base/access-fields.js';
import type { AccessEntry } from './access-entry.js';
import { redactUrl } from './redact.js';

/** Makes a line of an answer, with its line feed. */
export type AccessFormat = (entry: AccessEntry) => string;

/** What a field has to say of an answer. */
type Value = (entry: AccessEntry, secrets: ReadonlySet<string> | undefined) => string | number | undefined;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** The combined format of Apache and nginx. */
const COMBINED = '{client} - - [{localTime}] "{method} {target} {protocol}" {status} {bytes} "{referer}" "{userAgent}"';
/** What would end a field or a line, or be taken for something else by who shows it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f"\\]/;
const EACH_UNSAFE = new RegExp(UNSAFE, 'g');

/**
 * The format of a name, or of a template in which `{names}` stand for values.
 * @param secrets names of query parameters, beside the usual ones, whose values are left out
 */
export function accessFormat(name: string, secrets?: ReadonlySet<string>): AccessFormat {
  if (name === 'json') return entry => jsonLine(entry, secrets);
  const parts = (name === 'combined' ? COMBINED : name).split(PLACEHOLDER);
  const texts = parts.filter((_, i) => i % 2 === 0);
  const values = parts.filter((_, i) => i % 2 === 1).map(field => VALUES[field as AccessField]);
  return entry => {
    let line = texts[0]!;
    for (let i = 0; i < values.length; i++) line += escaped(values[i]!(entry, secrets)) + texts[i + 1]!;
    return `${line}\n`;
  };
}

function jsonLine(entry: AccessEntry, secrets: ReadonlySet<string> | undefined): string {
  const { id, client, method, host, status, bytes, seconds } = entry;
  const { path, query } = placeOf(entry.url, secrets);
  const line = {
    time: new Date(entry.time).toISOString(),
    id,
    client,
    method,
    host,
    path,
    query,
    status,
    bytes,
    seconds,
    firstByteSeconds: entry.ttfb ?? null,
    outcome: entry.outcome ?? null,
    origin: entry.origin ?? null,
    route: entry.route ?? null,
    userAgent: entry.agent ?? null,
    referer: refererOf(entry, secrets) ?? null,
    error: entry.error ?? null,
  };
  return `${JSON.stringify(line)}\n`;
}

const VALUES: Readonly<Record<AccessField, Value>> = {
  time: entry => new Date(entry.time).toISOString(),
  id: entry => entry.id,
  client: entry => entry.client,
  method: entry => entry.method,
  host: entry => entry.host,
  path: (entry, secrets) => placeOf(entry.url, secrets).path,
  query: (entry, secrets) => placeOf(entry.url, secrets).query,
  status: entry => entry.status,
  bytes: entry => entry.bytes,
  seconds: entry => entry.seconds.toFixed(6),
  firstByteSeconds: entry => entry.ttfb?.toFixed(6),
  outcome: entry => entry.outcome,
  origin: entry => entry.origin,
  route: entry => entry.route,
  userAgent: entry => entry.agent,
  referer: refererOf,
  error: entry => entry.error,
  protocol: entry => entry.protocol,
  range: entry => entry.range,
  end: entry => entry.end,
  localTime: entry => commonTime(entry.time),
  target(entry, secrets) {
    const { path, query } = placeOf(entry.url, secrets);
    return query === '' ? path : `${path}?${query}`;
  },
};

function placeOf(url: string, secrets: ReadonlySet<string> | undefined): { path: string; query: string } {
  const redacted = redactUrl(url, secrets);
  const mark = redacted.indexOf('?');
  return mark < 0 ? { path: redacted, query: '' } : { path: redacted.slice(0, mark), query: redacted.slice(mark + 1) };
}

function refererOf({ referer }: AccessEntry, secrets: ReadonlySet<string> | undefined): string | undefined {
  return referer === undefined ? undefined : redactUrl(referer, secrets);
}

function escaped(value: string | number | undefined): string {
  if (value === undefined || value === '') return '-';
  const text = String(value);
  if (!UNSAFE.test(text)) return text;
  return text.replace(EACH_UNSAFE, found => `\\x${found.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

let commonSecond = Number.NaN;
let commonText = '';

/** A time as the Common Log Format has it, in UTC; made once a second. */
function commonTime(time: number): string {
  const second = Math.floor(time / 1000);
  if (second !== commonSecond) {
    commonSecond = second;
    const date = new Date(time);
    const two = (count: number) => String(count).padStart(2, '0');
    const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
    commonText = `${day}:${[date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':')} +0000`;
  }
  return commonText;
}
