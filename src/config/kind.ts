import { isIP } from 'node:net';
import { parseOrigin } from '../base/origin-url.js';
import { formatSize, formatTime, parseSize, parseTime } from './units.js';

/** What the value of a setting may be: how it is said to people, and how it is read. */
export interface Kind<T> {
  /** What is expected, for messages and documentation, such as `a whole number from 1 to 64`. */
  readonly expected: string;
  /** The value as the program uses it, or undefined when `value` (as YAML or a flag gave it) is not of this kind. */
  parse(value: unknown): T | undefined;
  /** What to say to somebody who wrote `value`, when more is known than that it is wrong. */
  hint?(value: unknown): string | undefined;
  /** True for paths of the machine: relative ones are taken from the folder of the file that states them. */
  readonly path?: boolean;
  /** What editors are told of it: lets through whatever `parse` takes, and maybe more. */
  readonly json: JsonSchema;
}

/** A JSON Schema, draft 7. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const STRING: JsonSchema = { type: 'string' };

/** A whole number. */
export function integer(min: number, max: number): Kind<number> {
  return {
    expected: `a whole number from ${min} to ${max}`,
    json: {
      anyOf: [
        { type: 'integer', minimum: min, maximum: max },
        { type: 'string', pattern: '^-?\\d{1,15}$' },
      ],
    },
    parse(value) {
      const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
      return Number.isInteger(number) ? within(number as number, min, max) : undefined;
    },
  };
}

/** Bytes; `min` and `max` are written as a user writes them. */
export function size(min: string, max: string): Kind<number> {
  const [low, high] = [parseSize(min)!, parseSize(max)!];
  return {
    expected: `a size from ${min === '0' ? 0 : formatSize(low)} to ${formatSize(high)} (KiB, MiB, GiB, TiB; without a unit: bytes)`,
    json: { type: ['string', 'integer'], pattern: '^\\d{1,16}(\\.\\d{1,9})? ?(B|KiB|MiB|GiB|TiB)?$' },
    parse: value => within(parseSize(value), low, high),
    hint: value =>
      /^[\d.]+ ?[kmgt]i?b?$/i.test(String(value))
        ? 'units are powers of two and are spelt KiB, MiB, GiB, TiB'
        : undefined,
  };
}

/** A number, not only a whole one. */
export function number(min: number, max: number): Kind<number> {
  return {
    expected: `a number from ${min} to ${max}`,
    json: {
      anyOf: [
        { type: 'number', minimum: min, maximum: max },
        { type: 'string', pattern: '^[\\d.]{1,19}$' },
      ],
    },
    parse: value => within(/^\d{1,9}(\.\d{1,9})?$/.test(String(value)) ? Number(value) : undefined, min, max),
  };
}

/** Milliseconds; `min` and `max` are written as a user writes them. */
export function time(min: string, max: string): Kind<number> {
  const [low, high] = [parseTime(min)!, parseTime(max)!];
  return {
    expected: `a time from ${min === '0' ? 0 : formatTime(low)} to ${formatTime(high)} (ms, s, m, h)`,
    json: {
      anyOf: [{ enum: [0] }, { type: 'string', pattern: '^(0+(\\.0+)?|\\d{1,16}(\\.\\d{1,9})? ?(ms|s|m|h))$' }],
    },
    parse: value => within(parseTime(value), low, high),
    hint: value => (/^[\d.]+$/.test(String(value)) ? `a time needs a unit, such as ${value}s` : undefined),
  };
}

/** A share of a whole, from 0 to 1, written as a percentage. */
export function share(min: number, max: number): Kind<number> {
  return {
    expected: `a percentage from ${min * 100}% to ${max * 100}%`,
    json: { type: 'string', pattern: '^\\d{1,3}(\\.\\d{1,6})? ?%$' },
    parse(value) {
      const match = /^(\d{1,3}(?:\.\d{1,6})?) ?%$/.exec(String(value));
      return match === null ? undefined : within(Number(match[1]) / 100, min, max);
    },
  };
}

/** True or false. */
export function flag(): Kind<boolean> {
  return {
    expected: 'true or false',
    json: { type: 'boolean' },
    parse: value => (typeof value === 'boolean' ? value : undefined),
  };
}

/** One of a few words. YAML's `off` is a word. */
export function choice<const W extends string>(...words: readonly W[]): Kind<W> {
  return {
    expected: `one of ${words.join(', ')}`,
    json: { enum: words },
    parse: value => words.find(word => word === value),
  };
}

/** Text that matches `pattern`; `expected` says what that means. */
export function text(expected: string, pattern = /^[^\0\r\n]{1,4096}$/): Kind<string> {
  return {
    expected,
    json: { type: ['string', 'number'], pattern: pattern.source },
    parse(value) {
      const string = typeof value === 'number' ? String(value) : value;
      return typeof string === 'string' && pattern.test(string) ? string : undefined;
    },
  };
}

/** `all`, `none`, or a list of names, each of which matches `pattern`; `expected` says what they are names of. */
export function names(expected: string, pattern: RegExp): Kind<'all' | 'none' | readonly string[]> {
  const isName = (name: unknown) => typeof name === 'string' && pattern.test(name);
  return {
    expected: `all, none or a list of at most 100 ${expected}`,
    json: { anyOf: [{ enum: ['all', 'none'] }, { type: 'array', maxItems: 100, items: STRING }] },
    parse(value) {
      if (value === 'all' || value === 'none') return value;
      return Array.isArray(value) && value.length <= 100 && value.every(isName) ? value : undefined;
    },
  };
}

/** A path of the machine. */
export function path(expected: string): Kind<string> {
  return { ...text(expected, /^[^\0\r\n]{1,4095}$/), path: true };
}

/** An address to listen on: an IP address or a host name. */
export function host(): Kind<string> {
  const name = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;
  return {
    expected: 'an IP address or a host name to listen on, such as 0.0.0.0 or ::',
    json: STRING,
    parse: value => (typeof value === 'string' && (isIP(value) !== 0 || name.test(value)) ? value : undefined),
  };
}

/** An IP address, or a network of them. */
export function network(): Kind<string> {
  return {
    expected: 'an IP address or a network such as 10.0.0.0/8',
    json: STRING,
    parse(value) {
      const [, address = '', bits] = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(String(value)) ?? [];
      const version = isIP(address);
      return version !== 0 && Number(bits ?? 0) <= (version === 4 ? 32 : 128) ? (value as string) : undefined;
    },
  };
}

/** A network, and a number for each address of it: `10.0.0.0/8 100`, or `10.0.0.0/8 none`. */
export function networkRate(): Kind<{ readonly network: string; readonly rate: number | undefined }> {
  return {
    expected: 'a network and a number from 1 to 1000000, or none, such as "10.0.0.0/8 100"',
    json: STRING,
    parse(value) {
      const [, address, number = ''] = /^(\S{1,64}) (\d{1,7}|none)$/.exec(String(value)) ?? [];
      const found = network().parse(address);
      const rate = number === 'none' ? undefined : within(Number(number), 1, 1_000_000);
      return found === undefined || (number !== 'none' && rate === undefined) ? undefined : { network: found, rate };
    },
  };
}

/**
 * A directory (`path`, `file://` URL) or an `http`, `https` or `s3` URL; the scheme decides what kind of origin it is.
 */
export function originUrl(): Kind<string> {
  return {
    expected: 'a directory, http(s)://host/base or s3://bucket/prefix',
    json: STRING,
    path: true,
    parse(value) {
      if (typeof value !== 'string' || /[\r\n]/.test(value)) return undefined;
      try {
        parseOrigin(value);
        return value;
      } catch {
        return undefined;
      }
    },
    hint: value => (/[?#]/.test(String(value)) ? 'a base URL has no query and no fragment' : undefined),
  };
}

/** A file, or an `http` or `https` URL. */
export function fileOrUrl(expected: string): Kind<string> {
  return {
    expected,
    json: STRING,
    path: true,
    parse(value) {
      if (typeof value !== 'string' || !/^[^\0\r\n]{1,4095}$/.test(value)) return undefined;
      return value.includes('://') ? webUrl(expected).parse(value) : value;
    },
  };
}

/** An `http` or `https` URL, which may have a query. */
export function webUrl(expected: string): Kind<string> {
  return {
    expected,
    json: { type: 'string', pattern: '^[Hh][Tt][Tt][Pp][Ss]?:' },
    parse(value) {
      if (typeof value !== 'string' || value.length > 4095 || !URL.canParse(value)) return undefined;
      return /^https?:$/.test(new URL(value).protocol) ? value : undefined;
    },
  };
}

/** How fast something goes: as fast as it can, at a multiple of its own pace, or at so many bytes a second. */
export type PaceSetting = 'off' | { readonly times: number } | { readonly bytes: number };

/** A pace: `off`, a multiple such as `1.5x`, or bytes a second such as `4MiB`. */
export function rate(): Kind<PaceSetting> {
  const most = parseSize('10GiB')!;
  return {
    expected: 'off, a multiple from 0.1x to 1000x, or bytes a second from 1KiB to 10GiB',
    json: { type: ['string', 'integer'] },
    parse(value) {
      if (value === 'off') return value;
      const times = /^(\d{1,4}(?:\.\d{1,3})?)x$/.exec(String(value))?.[1];
      if (times === undefined) {
        const bytes = within(parseSize(value), 1024, most);
        return bytes === undefined ? undefined : { bytes };
      }
      return Number(times) >= 0.1 && Number(times) <= 1000 ? { times: Number(times) } : undefined;
    },
  };
}

/** The name of a header field, in lower case. */
export function fieldName(): Kind<string> {
  return text('the name of a header field', /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/);
}

/** `kind`, or the word `word` for a value that is found out at start. */
export function or<T, const W extends string>(word: W, kind: Kind<T>): Kind<T | W> {
  return {
    ...kind,
    expected: `${kind.expected}, or ${word}`,
    json: { anyOf: [{ enum: [word] }, kind.json] },
    parse: value => (value === word ? word : kind.parse(value)),
  };
}

function within(number: number | undefined, min: number, max: number): number | undefined {
  return number !== undefined && number >= min && number <= max ? number : undefined;
}
