import { EdgeError } from '../base/errors.js';
import { matchesHost } from './host-pattern.js';

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
}

/**
 * Several origins by host and path: a rule for the very host goes before one for its domain, that before one for any;
 * then the longest path wins.
 */
export class RouteTable<Rule extends RouteRule> {
  readonly #entries: readonly Entry<Rule>[];

  /** @throws EdgeError `bad_config` when two rules are for the same requests */
  constructor(rules: readonly Rule[]) {
    const entries = rules.map(rule => ({ rule, prefix: normalPrefix(rule.path) }));
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
   * @param path percent-encoded, in normal form
   */
  find(host: string, path: string): RouteMatch<Rule> | undefined {
    for (const { rule, prefix } of this.#entries) {
      if (rule.host !== undefined && !matchesHost(rule.host, host)) continue;
      if (isBelow(prefix, path)) return { rule, path: remaining(rule, prefix, path) };
    }
    return undefined;
  }

  /** Every rule that some host leads to for a path; for purges that name no host. */
  findAll(path: string): RouteMatch<Rule>[] {
    return this.#entries
      .filter(({ prefix }) => isBelow(prefix, path))
      .map(({ rule, prefix }) => ({ rule, path: remaining(rule, prefix, path) }));
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

/** A configured path in the normal form of requests. */
function normalPrefix(path: string): string {
  return new URL(path, 'http://host').pathname.replace(/\/+$/, '');
}

function isBelow(prefix: string, path: string): boolean {
  return prefix === '' || (path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/'));
}

function remaining(rule: RouteRule, prefix: string, path: string): string {
  if (!rule.stripPath || prefix === '') return path;
  return path.length === prefix.length ? '/' : path.slice(prefix.length);
}
