import { readFileSync, statSync } from 'node:fs';
import { covers, overlapOf, type Place } from '../base/places.js';
import { accessHost, placePath } from './access-schema.js';
import { corsSettings } from './cors-schema.js';
import { fieldName, integer, type Kind, names, path, rate, size, text, time } from './kind.js';
import { forwardable, PARAMETER } from './origin-schema.js';
import { type Draft, group, type Issue, item, list, map, setting, type Values, type Wrong } from './setting.js';

/** Most bytes of an error page. */
const ERROR_PAGE_MAX = 1024 * 1024;

/** Fields of answers that are the edge's own to write. */
const OWN_FIELDS = new Set([
  'accept-ranges',
  'age',
  'cache-status',
  'connection',
  'content-length',
  'content-range',
  'content-type',
  'date',
  'etag',
  'last-modified',
  'transfer-encoding',
]);

/** The value of a field. */
const fieldText = () => text('the value of a header field', /^[\t\x20-\x7e]{0,4096}$/);

/** Pacing of one place; `of` says whose. */
function pacingSettings(of: string) {
  return {
    burst: setting(
      time('0', '1h'),
      `Film time that ${of} is sent at once before pacing begins, when the pace is a multiple of real time.`,
    ).optional(),
    rate: setting(
      rate(),
      `Pace of ${of}: a multiple of the film’s own bitrate (1.5x), or bytes a second (4MiB); off: as fast as it goes.`,
    ).prefault('off'),
    after: setting(
      size('0', '1TiB'),
      `Bytes that ${of} is sent at once before pacing begins, when the pace is in bytes.`,
    ).optional(),
    client: setting(
      size('1KiB', '1TiB'),
      `Bytes a second that all answers of one client get together in a worker, where ${of} is paced; without it, any.`,
    ).optional(),
    total: setting(
      size('1KiB', '1TiB'),
      `Bytes a second that all players get together of this edge, where ${of} is paced; without it, any.`,
    ).optional(),
  };
}

/** What answers are paced by, where no route says otherwise. */
export const pacingSchema = group(pacingSettings('a player'));

/** What differs by host and path. Of each setting, the first route that fits and states it says it. */
export const routesSchema = list(
  item({
    host: setting(accessHost(), 'Host that the route is for, or *.domain; without it, any.').optional(),
    path: setting(placePath(), 'Beginning of the paths that the route is for.').prefault('/'),
    origin: setting(
      text('the name of an origin', /^[a-z0-9][a-z0-9._-]{0,63}$/),
      'Origin that is asked, in place of the one whose host and path fit.',
    ).optional(),
    query: item({
      key: setting(
        names('names of query parameters', PARAMETER),
        'Query parameters that tell files of the route apart, in place of what the origin says.',
      ).optional(),
      forward: setting(
        names('names of query parameters', PARAMETER),
        'Query parameters of the route that go on to the origin without making the key.',
      ).prefault('none'),
      drop: list(
        setting(text('the name of a query parameter', PARAMETER), 'Query parameters of the route that do neither.'),
        { max: 100 },
      ),
    }).optional(),
    request: item({
      forward: list(
        setting(forwardable(), 'Fields of players’ requests that go on to the origin, beside those that it says.'),
        { max: 32 },
      ),
      set: map(
        setting(fieldText(), 'Fields that requests of the route to the origin have, whatever players send.', {
          secret: true,
        }),
      ),
    }).optional(),
    freshness: item({
      default: setting(
        time('0', '8760h'),
        'As freshness.default, on the route, whatever the age of Last-Modified.',
      ).optional(),
      min: setting(time('0', '8760h'), 'As freshness.min, on the route.').optional(),
      max: setting(time('0', '87600h'), 'As freshness.max, on the route.').optional(),
      errorTtl: setting(time('0', '1h'), 'As freshness.errorTtl, on the route.').optional(),
      notFoundTtl: setting(time('0', '24h'), 'As freshness.notFoundTtl, on the route.').optional(),
      staleWhileRevalidate: setting(time('0', '8760h'), 'As freshness.staleWhileRevalidate, on the route.').optional(),
      staleIfError: setting(time('0', '8760h'), 'As freshness.staleIfError, on the route.').optional(),
    }).optional(),
    fields: item({
      set: map(setting(fieldText(), 'Fields that answers have, in place of the origin’s of these names.')),
      remove: list(setting(fieldName(), 'Fields of the origin that answers do not have.'), { max: 100 }),
    }).optional(),
    cors: item(corsSettings(' on the route')).optional(),
    redirect: item({
      to: setting(
        text('a URL or a path, with {host}, {path} and {query}', /^(https?:\/\/|\/)[\x21-\x7e]{0,4000}$/),
        'Where players are sent in place of an answer; {host}, {path} and {query} (with its ?) are the request’s.',
      ),
      status: setting(status(301, 302, 303, 307, 308), 'Status of the redirect.').prefault(302),
    }).optional(),
    errors: map(setting(path('a file'), 'Pages by status (404, 403 …), in place of a line of text.')),
    pacing: item(pacingSettings('a player of the route')).optional(),
  }),
  { max: 1000 },
);

function status(...statuses: readonly number[]): Kind<number> {
  return {
    expected: `one of ${statuses.join(', ')}`,
    json: { enum: [...statuses, ...statuses.map(String)] },
    parse: value => statuses.find(each => each === integer(100, 599).parse(value)),
  };
}

type Routes = Values<typeof routesSchema>;

/** What routes stand in for, as far as it is needed here. */
interface Everywhere {
  /** Names. */
  readonly origins: readonly (string | undefined)[];
  readonly freshness: Draft<{ readonly min: number; readonly max: number }>;
}

/** Rules between the settings of routes, and with those that hold everywhere. */
export function checkRoutes(routes: Draft<Routes>, { origins, freshness }: Everywhere, wrong: Wrong): void {
  checkOverlaps(routes, wrong);
  checkBounds(routes, freshness, wrong);
  (routes ?? []).forEach((route, i) => {
    const say = (at: readonly (string | number)[], expected: string) => wrong(['routes', i, ...at], expected);
    if (route?.origin !== undefined && !origins.includes(route.origin))
      say(['origin'], 'expected the name of one of the origins');
    for (const name of Object.keys(route?.fields?.set ?? {})) {
      if (fieldName().parse(name) === undefined) say(['fields', 'set', name], 'expected the name of a header field');
      else if (OWN_FIELDS.has(name.toLowerCase()))
        say(['fields', 'set', name], 'expected a field that the edge does not set itself');
    }
    for (const name of Object.keys(route?.request?.set ?? {})) {
      if (forwardable().parse(name) === undefined && !/^authorization$/i.test(name))
        say(['request', 'set', name], 'expected a field that the edge does not set itself');
    }
    for (const name of Object.keys(route?.errors ?? {})) {
      if (!/^[45]\d\d$/.test(name)) say(['errors', name], 'expected a status from 400 to 599');
    }
    const { key, forward } = route?.query ?? {};
    if (key === 'all' && forward === 'all') say(['query', 'forward'], 'expected all for one of key and forward');
    checkPacing(route?.pacing, (name, expected) => say(['pacing', name], expected));
  });
}

/** What those before a route have said for all of its place. */
function checkOverlaps(routes: Draft<Routes>, wrong: Wrong): void {
  const places = placesOf(routes);
  (routes ?? []).forEach((route, i) => {
    if (route === undefined) return;
    const said = new Map<string, number>();
    for (let at = 0; at < i; at++) {
      const before = routes![at];
      if (before === undefined || !covers(places[at]!, places[i]!)) continue;
      for (const name of statedBy(before)) if (!said.has(name)) said.set(name, at);
    }
    for (const name of statedBy(route)) {
      const first = said.get(name);
      const expected = `expected this route before routes[${first}], which says that for all of its place`;
      if (first !== undefined) wrong(['routes', i, ...name.split(' ')], expected);
    }
  });
}

/** Bounds that contradict each other in the place of a route, or where two of them overlap. */
function checkBounds(routes: Draft<Routes>, everywhere: Everywhere['freshness'], wrong: Wrong): void {
  const places = placesOf(routes);
  const bounds = (routes ?? []).flatMap((route, at) => {
    const { min, max } = route?.freshness ?? {};
    return min === undefined && max === undefined ? [] : [{ at, min, max }];
  });
  const told = new Set<number>();
  // Many routes may overlap at the same place, which is looked at once.
  const looked = new Set<string>();
  for (const { at: one } of bounds)
    for (const { at: other } of bounds) {
      const place = one < other ? undefined : overlapOf(places[one]!, places[other]!);
      if (place === undefined || looked.has(`${place.host} ${place.path}`)) continue;
      looked.add(`${place.host} ${place.path}`);
      const least = bounds.find(({ at, min }) => min !== undefined && covers(places[at]!, place));
      const most = bounds.find(({ at, max }) => max !== undefined && covers(places[at]!, place));
      const { min = everywhere?.min } = least ?? {};
      const { max = everywhere?.max } = most ?? {};
      if (min === undefined || max === undefined || min <= max) continue;
      const last = Math.max(least?.at ?? -1, most?.at ?? -1);
      if (last < 0 || told.has(last)) continue;
      told.add(last);
      const [name, expected] = least?.at === last ? ['min', 'at most the max'] : ['max', 'at least the min'];
      wrong(['routes', last, 'freshness', name], `expected ${expected} that holds there`);
    }
}

function placesOf(routes: Draft<Routes>): readonly Place[] {
  return (routes ?? []).map(route => ({ host: route?.host, path: route?.path ?? '/' }));
}

/** Settings that a route says, each of which the first that says it decides; words are keys that lead there. */
function statedBy(route: NonNullable<Draft<Routes>>[number]): string[] {
  const { origin, query, cors, redirect, pacing, freshness, request, fields, errors } = route ?? {};
  const whole = Object.entries({ origin, query, cors, redirect, pacing });
  const parts = Object.entries({ freshness, 'request set': request?.set, 'fields set': fields?.set, errors });
  return [
    ...whole.flatMap(([name, value]) => (value === undefined ? [] : name)),
    ...parts.flatMap(([name, values]) =>
      Object.entries(values ?? {}).flatMap(([key, value]) => (value === undefined ? [] : `${name} ${key}`)),
    ),
  ];
}

/** Rules between the settings of a pace. */
export function checkPacing(
  pacing: Draft<Values<typeof pacingSchema>>,
  wrong: (name: string, expected: string) => void,
): void {
  const { rate: pace, burst, after } = pacing ?? {};
  if (burst !== undefined && pace !== undefined && !(pace !== 'off' && 'times' in pace))
    wrong('burst', 'expected a rate such as 1.5x beside it; a rate in bytes has after');
  if (after !== undefined && pace !== undefined && !(pace !== 'off' && 'bytes' in pace))
    wrong('after', 'expected a rate in bytes beside it; a rate such as 1.5x has burst');
}

/** Pages that can't be read. */
export function checkErrorPages({ routes }: { readonly routes: Routes }): Issue[] {
  return routes.flatMap(({ errors }, i) =>
    Object.entries(errors).flatMap(([name, file]) => {
      try {
        const { size } = statSync(file);
        if (size > ERROR_PAGE_MAX) throw new Error(`it has ${size} bytes, more than ${ERROR_PAGE_MAX}`);
        readFileSync(file);
        return [];
      } catch (error) {
        const expected = 'expected a file of at most 1 MiB that can be read';
        return [{ path: ['routes', i, 'errors', name], expected, hint: `${file}: ${(error as Error).message}` }];
      }
    }),
  );
}
