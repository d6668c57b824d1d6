import { type AccessField, PLACEHOLDER } from '../base/access-fields.js';
import type { AccessEntry } from './access-entry.js';
import { redactUrl } from './redact.js';

/** Makes a line of an answer, with its line feed. */
export type AccessFormat = (entry: AccessEntry) => string;

type Values = Readonly<Record<AccessField, string | number | undefined>>;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** The combined format of Apache and nginx. */
const COMBINED = '{client} - - [{localTime}] "{method} {target} {protocol}" {status} {bytes} "{referer}" "{userAgent}"';
/** What would end a field or a line, or be taken for something else by who shows it. */
const UNSAFE = /[\p{Cc}"\\]/gu;

/**
 * The format of a name, or of a template in which `{names}` stand for values.
 * @param secrets names of query parameters, beside the usual ones, whose values are left out
 */
export function accessFormat(name: string, secrets?: ReadonlySet<string>): AccessFormat {
  if (name === 'json') return entry => jsonLine(entry, secrets);
  const parts = (name === 'combined' ? COMBINED : name).split(PLACEHOLDER);
  return entry => {
    const values = valuesOf(entry, secrets);
    let line = '';
    for (let i = 0; i < parts.length; i++) line += i % 2 === 0 ? parts[i]! : escaped(values[parts[i] as AccessField]);
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

function valuesOf(entry: AccessEntry, secrets: ReadonlySet<string> | undefined): Values {
  const { path, query } = placeOf(entry.url, secrets);
  return {
    ...entry,
    time: new Date(entry.time).toISOString(),
    localTime: commonTime(new Date(entry.time)),
    seconds: entry.seconds.toFixed(6),
    path,
    query,
    target: query === '' ? path : `${path}?${query}`,
    firstByteSeconds: entry.ttfb?.toFixed(6),
    userAgent: entry.agent,
    referer: refererOf(entry, secrets),
  };
}

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
  return String(value).replace(
    UNSAFE,
    found => `\\x${found.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** A time as the Common Log Format has it, in UTC. */
function commonTime(date: Date): string {
  const two = (count: number) => String(count).padStart(2, '0');
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  return `${day}:${[date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':')} +0000`;
}
