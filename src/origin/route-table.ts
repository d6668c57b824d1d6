import { EdgeError } from '../base/errors.js';
import { matchesHost } from '../base/host-pattern.js';
import { normalPath } from '../base/percent.js';

/** Which requests an origin answers. */
export interface RouteRule {
  /** Name of the origin. */
  readonly name: string;
  /** Host, or `*.domain`, in lower case and without port; undefined for any. */
  readonly host?: string | undefined;
  /** Beginning of the path, ending at a slash or the path's end; '/' for all. */
  readonly path: string;
  /** Whether the origin is asked without that beginning. */
  readonly stripPath: boolean;
}

/** The rule that a request falls under, and the path to ask its origin for. */
export interface RouteMatch<Rule> {
  readonly rule: Rule;
  /** Percent-encoded, beginning with '/'. */
  readonly path: string;
}

interface Entry<Rule> {
  readonly rule: Rule;
  /** Without a slash at its end; '' for all paths. */
  readonly prefix: string;
  /** Number of its segments. */
  readonly depth: number;
}

/**
 * Several origins by host and path: a rule for the very host goes before one for its domain, that before one for any;
 * then the longest path wins.
 */
export class RouteTable<Rule extends RouteRule> {
  readonly #entries: readonly Entry<Rule>[];

  /** @throws EdgeError `bad_config` when two rules are for the same requests */
  constructor(rules: readonly Rule[]) {
    const entries = rules.map(rule => {
      const prefix = normalPath(new URL(rule.path, 'http://host').pathname.replace(/\/+$/, ''));
      return { rule, prefix, depth: prefix.split('/').length - 1 };
    });
    const seen = new Map<string, Rule>();
    for (const { rule, prefix } of entries) {
      const place = `${rule.host ?? ''}${prefix}/`;
      const other = seen.get(place);
      if (other) {
        const message = `expected one origin for each host and path, found ${other.name} and ${rule.name} for ${place}`;
        throw new EdgeError('bad_config', message);
      }
      seen.set(place, rule);
    }
    this.#entries = entries.sort((a, b) => rank(b.rule.host) - rank(a.rule.host) || b.prefix.length - a.prefix.length);
  }

  /**
   * The rule for a request.
   * @param host in lower case, without port
   * @param path percent-encoded
   */
  find(host: string, path: string): RouteMatch<Rule> | undefined {
    for (const entry of this.#entries) {
      const { host: wanted } = entry.rule;
      if (wanted !== undefined && !matchesHost(wanted, host)) continue;
      const rest = restBelow(entry, path);
      if (rest !== undefined) return match(entry.rule, path, rest);
    }
    return undefined;
  }

  /** What an origin is asked for by a rule, whatever leads to it. */
  under(rule: Rule, path: string): RouteMatch<Rule> {
    const entry = this.#entries.find(each => each.rule === rule);
    const rest = entry && restBelow(entry, path);
    return rest === undefined ? { rule, path } : match(rule, path, rest);
  }
}

/** @throws EdgeError `bad_config` when two rules are for the same requests */
export function routeTable<Rule extends RouteRule>(rules: readonly Rule[]): RouteTable<Rule> {
  return new RouteTable(rules);
}

/** Rules for hosts come before those for domains, of which longer ones come first. */
function rank(host: string | undefined): number {
  if (host === undefined) return 0;
  return host.startsWith('*.') ? host.length : 1000;
}

/** What is left of `path` behind the entry's own, however that is escaped; undefined when it is no path below. */
function restBelow({ prefix, depth }: Entry<RouteRule>, path: string): string | undefined {
  if (depth === 0) return path;
  let end = 0;
  for (let i = 0; i < depth && end >= 0; i++) end = path.indexOf('/', end + 1);
  const own = end < 0 ? path : path.slice(0, end);
  if (own !== prefix && normalPath(own) !== prefix) return undefined;
  return end < 0 ? '' : path.slice(end);
}

function match<Rule extends RouteRule>(rule: Rule, path: string, rest: string): RouteMatch<Rule> {
  return { rule, path: rule.stripPath ? rest || '/' : path };
}
