import { RE2JS } from 're2js';
import { EdgeError } from '../base/errors.js';
import { normalPath } from '../base/percent.js';
import { type OriginPaths, playerPlaces } from './player-places.js';
import { tagsOf } from './tags.js';

/** What objects have in common that are purged together. */
export interface PurgePattern {
  /** `tag`: one of the tags of the object; `glob`: the whole path; `regex`: something in path and query. */
  readonly kind: 'tag' | 'glob' | 'regex';
  /** Tags, with line feeds between; or the pattern. */
  readonly text: string;
  /** The origins whose objects are meant. */
  readonly places: readonly OriginPaths[];
}

/** An object, as patterns look at it. */
export interface PatternSubject {
  /** Cache key of its URL. */
  readonly primary: string;
  /** Fields of the origin's answer. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Most characters of a pattern: it is looked for in what may be millions of paths. */
const LENGTH_MAX = 1000;
const GLOB_SIGN = /(\*\*|[*?])/;
const GLOB: Readonly<Record<string, string>> = { '**': '.*', '*': '[^/]*', '?': '[^/]' };

/**
 * Tells which objects are meant. Takes time in proportion to a path, whatever the pattern is.
 * @throws EdgeError `bad_request` for what is no pattern
 */
export function purgeMatcher({ kind, text, places }: PurgePattern): (subject: PatternSubject) => boolean {
  const placeOf = playerPlaces(places);
  const tags = new Set(text.split('\n'));
  const expression = kind === 'tag' ? undefined : compile(kind, text);
  return ({ primary, fields }) => {
    const place = placeOf(primary);
    if (place === undefined) return false;
    if (expression === undefined) return tagsOf(fields).some(tag => tags.has(tag));
    const [path = '', query] = split(place.path);
    const normal = normalPath(path);
    if (kind === 'glob') return expression.testExact(normal);
    return expression.test(query === undefined ? normal : `${normal}?${query}`);
  };
}

function split(target: string): [path: string, query: string | undefined] {
  const mark = target.indexOf('?');
  return mark < 0 ? [target, undefined] : [target.slice(0, mark), target.slice(mark + 1)];
}

function compile(kind: 'glob' | 'regex', text: string): RE2JS {
  if (text.length > LENGTH_MAX)
    throw new EdgeError('bad_request', `expected a pattern of at most ${LENGTH_MAX} characters, found ${text.length}`);
  try {
    return RE2JS.compile(kind === 'glob' ? globExpression(text) : text);
  } catch (cause) {
    const why = (cause as Error).message;
    throw new EdgeError('bad_request', `expected a regular expression of RE2: ${why}`, { cause });
  }
}

/** `*` is anything within a segment of the path, `**` anything, `?` one character; all else is a path. */
function globExpression(glob: string): string {
  return glob
    .split(GLOB_SIGN)
    .map(part => GLOB[part] ?? RE2JS.quote(normalPath(part)))
    .join('');
}
