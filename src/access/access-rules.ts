import { matchesHost } from '../base/host-pattern.js';
import { decodeOctets } from '../base/percent.js';
import type { AccessRequest } from './access-request.js';
import { type RefererSettings, Referers } from './referers.js';
import { type SignedSettings, SignedUrl } from './signed-url.js';

/** A rule: who is let in where. All that it states must hold. */
export interface AccessSettings {
  /** Host, or `*.domain`, in lower case; undefined for any. */
  readonly host?: string | undefined;
  /** Beginning of the path, without escapes. */
  readonly path: string;
  readonly signed?: SignedSettings | undefined;
  readonly referers?: RefererSettings | undefined;
}

/** A rule of access, made. */
export class AccessRule {
  /** Names of query parameters that let somebody in. */
  readonly parameters: ReadonlySet<string>;
  readonly #signed: SignedUrl | undefined;
  readonly #referers: Referers | undefined;

  constructor({ signed, referers }: AccessSettings) {
    this.#signed = signed && new SignedUrl(signed);
    this.#referers = referers && new Referers(referers);
    this.parameters = new Set(this.#signed?.parameters);
  }

  /** Why a request is not let in, for the log; undefined when it is. */
  refusal(request: AccessRequest): string | undefined {
    return this.#referers?.refusal(request.field('referer')) ?? this.#signed?.refusal(request, Date.now());
  }
}

/** The rules in their order: the first whose host and path fit decides. What fits none is open to all. */
export class AccessRules {
  readonly #rules: readonly { host: string | undefined; path: string; rule: AccessRule }[];

  constructor(settings: readonly AccessSettings[]) {
    this.#rules = settings.map(each => ({
      host: each.host,
      path: plainPath(each.path),
      rule: new AccessRule(each),
    }));
  }

  /** Names of all parameters that let somebody in, for logs. */
  get parameters(): ReadonlySet<string> {
    return new Set(this.#rules.flatMap(({ rule }) => [...rule.parameters]));
  }

  /**
   * The rule for a request; undefined when it is open to all.
   * @param host in lower case, without port
   * @param path as `plainPath` gives it
   */
  find(host: string, path: string): AccessRule | undefined {
    for (const each of this.#rules) {
      if (each.host !== undefined && !matchesHost(each.host, host)) continue;
      if (path.startsWith(each.path)) return each.rule;
    }
    return undefined;
  }

  /** Names of parameters that let somebody in at a path: of one host, or of any. */
  parametersAt(host: string | undefined, path: string): ReadonlySet<string> {
    const rules =
      host === undefined
        ? this.#rules.filter(each => path.startsWith(each.path)).map(({ rule }) => rule)
        : [this.find(host, path)];
    return new Set(rules.flatMap(rule => [...(rule?.parameters ?? [])]));
  }
}

/**
 * The octets of a path as rules compare and sign it: without escapes, of several slashes one, so that there is no other
 * way to write it.
 */
export function plainPath(path: string): string {
  return decodeOctets(path).replaceAll(/\/{2,}/g, '/');
}
