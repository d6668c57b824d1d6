import { type Place, PlaceList, plainPath } from '../base/places.js';
import type { AccessRequest, Denial } from './access-request.js';
import { Addresses, type ClientSettings } from './addresses.js';
import { Callback, type CallbackSettings } from './callback.js';
import type { TokenAccess, TokenSettings } from './json-web-token.js';
import { type RefererSettings, Referers } from './referers.js';
import { type SignedSettings, SignedUrl } from './signed-url.js';

/** A rule: who is let in where. All that it states must hold. */
export interface AccessSettings extends Place {
  readonly addresses?: ClientSettings | undefined;
  readonly referers?: RefererSettings | undefined;
  readonly signed?: SignedSettings | undefined;
  readonly jwt?: TokenSettings | undefined;
  readonly callback?: CallbackSettings | undefined;
}

/** Makes what looks at tokens: another module, which is loaded where there are some. */
export type MakeTokens = (settings: TokenSettings) => TokenAccess;

/** A part of a rule. */
type Check = (request: AccessRequest) => Denial | Promise<Denial>;

/** A rule of access, made. */
export class AccessRule {
  /** Names of query parameters that let somebody in. */
  readonly parameters: ReadonlySet<string>;
  /** Name of the cookie that does, where one does. */
  readonly cookie: string | undefined;
  /** The Authorization field bears a token that is for this edge alone. */
  readonly isBearer: boolean;
  /** Who is let in to a URL is let in to the objects that it is made of, too: its signature is of its own path. */
  readonly isOfPath: boolean;
  /** Those that cost least come first. */
  readonly #checks: readonly Check[];
  readonly #bySignature: SignedUrl | undefined;

  constructor({ addresses, referers, signed, jwt, callback }: AccessSettings, makeTokens?: MakeTokens) {
    // A configuration has lists that say nothing, too: neither the address nor the page is found out for them.
    const byAddress = addresses && saysAny(addresses.allow, addresses.deny) && new Addresses(addresses);
    const byPage = referers && saysAny(referers.allow, referers.block) && new Referers(referers);
    const bySignature = signed && new SignedUrl(signed);
    const byToken = jwt && makeTokens!(jwt);
    const byCallback = callback && new Callback(callback);
    this.#checks = [
      ...(byAddress ? [(request: AccessRequest) => byAddress.refusal(request.client())] : []),
      ...(byPage ? [(request: AccessRequest) => byPage.refusal(request.field('referer'))] : []),
      ...(bySignature ? [(request: AccessRequest) => bySignature.refusal(request, Date.now())] : []),
      ...(byToken ? [(request: AccessRequest) => byToken.refusal(request, Date.now())] : []),
      ...(byCallback ? [(request: AccessRequest) => byCallback.refusal(request)] : []),
    ];
    this.#bySignature = bySignature;
    this.parameters = new Set([...(bySignature?.parameters ?? []), ...(jwt?.parameter ? [jwt.parameter] : [])]);
    this.cookie = jwt?.cookie;
    this.isBearer = jwt !== undefined;
    this.isOfPath = bySignature?.isOfPath === true;
  }

  /** Why a request is not let in, for the log; undefined when it is. A promise where that is not known at once. */
  refusal(request: AccessRequest): Denial | Promise<Denial> {
    return this.#refusalFrom(0, request);
  }

  /**
   * Milliseconds since 1970 until which all who come by the URL of a request that was let in are; 0 where something
   * else counts than the URL.
   */
  goodUntil(request: AccessRequest): number {
    if (this.#checks.length === 0) return Number.POSITIVE_INFINITY;
    return this.#checks.length === 1 ? (this.#bySignature?.goodUntil(request) ?? 0) : 0;
  }

  #refusalFrom(first: number, request: AccessRequest): Denial | Promise<Denial> {
    for (let i = first; i < this.#checks.length; i++) {
      const found = this.#checks[i]!(request);
      if (found instanceof Promise) return found.then(refusal => refusal ?? this.#refusalFrom(i + 1, request));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function saysAny(...lists: readonly (readonly string[])[]): boolean {
  return lists.some(list => list.length > 0);
}

/** A rule where it holds. */
interface PlacedRule extends Place {
  readonly rule: AccessRule;
}

/** The rules in their order: the first whose host and path fit decides. What fits none is open to all. */
export class AccessRules {
  readonly #rules: PlaceList<PlacedRule>;

  /** @param makeTokens needed where a rule states `jwt` */
  constructor(settings: readonly AccessSettings[], makeTokens?: MakeTokens) {
    this.#rules = new PlaceList(
      settings.map(each => ({ host: each.host, path: each.path, rule: new AccessRule(each, makeTokens) })),
    );
  }

  /** Names of all parameters that let somebody in, for logs. */
  get parameters(): ReadonlySet<string> {
    return new Set(this.#rules.all.flatMap(({ rule }) => [...rule.parameters]));
  }

  /**
   * The rule for a request; undefined when it is open to all.
   * @param host in lower case, without port
   * @param path as `plainPath` gives it
   */
  find(host: string, path: string): AccessRule | undefined {
    return this.#rules.find(host, path)?.rule;
  }
}

/** Names of parameters that let somebody in at a path: of one host, or of any. */
export function accessParametersAt(
  settings: readonly AccessSettings[],
  host: string | undefined,
  path: string,
): ReadonlySet<string> {
  const places = new PlaceList(settings);
  const plain = plainPath(path);
  const first = places.find(host, plain);
  const rules = host === undefined ? places.findAll(host, plain) : first === undefined ? [] : [first];
  const names = rules.flatMap(({ signed, jwt }) => [
    signed?.signature,
    signed?.expires,
    signed?.prefix,
    jwt?.parameter,
  ]);
  return new Set(names.filter(name => name !== undefined));
}
