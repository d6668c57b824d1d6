import type { Place } from '../base/places.js';

/** What a route has answered. */
export interface RouteCounts {
  /** As the configuration has it; `*` for any host. */
  readonly host: string;
  /** Beginning of paths; '' for what no route is for. */
  readonly path: string;
  /** Answers by the first digit of their status. */
  readonly requests: number[];
  /** Bytes of bodies. */
  bytes: number;
}

/** Counters of a place among those of a server, or of what no route is for; made where there are none. */
export function countsAt(all: RouteCounts[], place?: Place): RouteCounts {
  const { host = '*', path = '' } = place ?? {};
  let counts = all.find(each => each.host === host && each.path === path);
  if (counts === undefined) {
    counts = { host, path, requests: [0, 0, 0, 0, 0, 0], bytes: 0 };
    all.push(counts);
  }
  return counts;
}

/** The route's host and path, as logs name it; undefined for what no route is for. */
export function routeName({ host, path }: RouteCounts): string | undefined {
  return path === '' ? undefined : host + path;
}
