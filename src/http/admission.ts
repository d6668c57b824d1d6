import type { AccessRequest, Denial } from '../access/access-request.js';
import type { AccessRule, AccessRules } from '../access/access-rules.js';
import { withoutCookie } from '../access/cookies.js';
import { EdgeError } from '../base/errors.js';
import { plainPath } from '../base/places.js';
import type { Content } from '../catalog/content.js';
import { octetsOfField } from './field-value.js';
import type { FrontRequest } from './front-end.js';
import type { HttpContext } from './http-context.js';
import { KeptRequest } from './kept-request.js';
import type { Reply } from './reply.js';
import { knownPath, namesWithTokens, type OwnNames, parseHost } from './target.js';

/** What rules of access say of a request; undefined where there are none. */
export function admissionOf(
  context: HttpContext,
  req: FrontRequest,
  host: string,
  whose: Client,
): RequestAdmission | undefined {
  return context.access === undefined ? undefined : new RequestAdmission(context.access, context, req, host, whose);
}

/**
 * Goes on with a request that is let in to what has no objects; else its refusal is the answer.
 * @param then called at once where that is known at once, and not within the handler of the request where it is not
 */
export function whenIn(context: HttpContext, req: FrontRequest, reply: Reply, then: () => void): void {
  try {
    const admitted = admissionOf(context, req, parseHost(req.getHeader('host')), reply)?.check();
    if (admitted === undefined) then();
    else {
      reply.suspend();
      admitted.then(
        () => {
          if (!reply.over) reply.cork(then);
        },
        error => reply.fail(error),
      );
    }
  } catch (error) {
    reply.fail(error);
  }
}

/** Whose request it is. */
interface Client {
  /** Address, as text. */
  readonly client: string;
}

/** Lets a request in by the rules of access, or not. */
export class RequestAdmission {
  readonly #rule: AccessRule | undefined;
  readonly #rules: AccessRules;
  readonly #context: HttpContext;
  /** Of the request, in lower case and without port. */
  readonly host: string;
  readonly #path: string;
  #req: FrontRequest;
  #whose: Client;
  /** Paths of the objects that the URL names. */
  #named: readonly string[] = [];

  /**
   * @param rules of the context
   * @param req of the handler that this is used in, unless `keep` is called in it
   * @param host of the request, in lower case and without port
   * @throws EdgeError `bad_request`
   */
  constructor(rules: AccessRules, context: HttpContext, req: FrontRequest, host: string, whose: Client) {
    this.#rules = rules;
    this.#context = context;
    this.#req = req;
    this.host = host;
    this.#path = knownPath(req.getUrl()).plain;
    this.#whose = whose;
    this.#rule = rules.find(host, this.#path);
  }

  /** Names of query parameters that no origin sees, in this place. */
  get names(): OwnNames {
    return this.#rule === undefined ? this.#context.ownNames : namesAt(this.#rule, this.#context.ownNames);
  }

  /** Address of the client. */
  get client(): string {
    return this.#whose.client;
  }

  /** The request, as it can be looked at now. */
  get req(): FrontRequest {
    return this.#req;
  }

  /** Keeps what the request says past its handler. */
  keep(): KeptRequest {
    if (this.#req instanceof KeptRequest) return this.#req;
    this.#whose = { client: this.client };
    const kept = new KeptRequest(this.#req);
    this.#req = kept;
    return kept;
  }

  /**
   * What the URL itself must bear.
   * @returns undefined where it is let in at once
   * @throws EdgeError (or rejects with) `forbidden`, `overloaded`
   */
  check(): Promise<void> | undefined {
    return this.#checkBy(this.#rule, this.#path, this.#req.getUrl());
  }

  /**
   * What is made of objects elsewhere needs what these need. Whoever has signed a URL has signed what it names, where
   * that is under the same rule.
   * @param paths of all objects that the URL names
   * @throws EdgeError (or rejects with) `forbidden`, `overloaded`
   */
  checkObjects(paths: readonly string[]): Promise<void> | undefined {
    this.#named = paths;
    const others = paths.filter(path => this.#ruleAt(path) !== this.#rule);
    const pending = others.map(path => this.#checkBy(this.#ruleAt(path), plainPath(path), path));
    return pending.some(each => each !== undefined) ? Promise.all(pending).then(() => {}) : undefined;
  }

  /**
   * Milliseconds since 1970 until which all who come by the URL of this request, which has been let in, are; 0 where
   * something else counts than the URL.
   */
  get goodUntil(): number {
    const rule = this.#rule;
    if (rule === undefined) return Number.POSITIVE_INFINITY;
    return rule.goodUntil(new Asked(this, this.#path, this.#req.getUrl()));
  }

  /** The content, as far as this request may have it: objects that an answer turns out to be made of are checked. */
  guarded(content: Content): Content {
    return {
      open: request => {
        const { path } = request;
        const rule = this.#named.includes(path) ? undefined : this.#ruleAt(path);
        // A signature of the list's own path is good for what is in it.
        const isIn = rule === undefined || (rule === this.#rule && rule.isOfPath);
        const checking = isIn ? undefined : this.#checkBy(rule, plainPath(path), path);
        return checking === undefined ? content.open(request) : checking.then(() => content.open(request));
      },
    };
  }

  /** The request without what let it in, for everybody behind. */
  withoutTokens(name: string, value: string): string {
    const rule = this.#rule;
    if (value === '' || rule === undefined) return value;
    if (name === 'authorization') return rule.isBearer && /^bearer /i.test(value) ? '' : value;
    if (name === 'cookie') return rule.cookie === undefined ? value : withoutCookie(value, rule.cookie);
    return name === 'referer' ? withoutParameters(value, rule.parameters) : value;
  }

  #ruleAt(object: string): AccessRule | undefined {
    return this.#rules.find(this.host, plainPath(object));
  }

  #checkBy(rule: AccessRule | undefined, path: string, written: string): Promise<void> | undefined {
    if (rule === undefined) return undefined;
    const found = rule.refusal(new Asked(this, path, written));
    if (found === undefined) return undefined;
    if (!(found instanceof Promise)) this.#refuse(found, path);
    // Other parts of the rule may look at the request later.
    this.keep();
    return found.then(refusal => {
      if (refusal !== undefined) this.#refuse(refusal, path);
    });
  }

  #refuse(reason: NonNullable<Denial>, path: string): never {
    const fields = { reason, host: this.host, path, client: this.client };
    this.#context.badEnds.warn(`access ${reason}`, fields, 'a request was not let in');
    throw new EdgeError('forbidden', 'this request is not let in', { reason });
  }
}

/** A request for one path, as rules see it. */
class Asked implements AccessRequest {
  readonly #admission: RequestAdmission;
  readonly #written: string;

  /** @param written the path as it came */
  constructor(
    admission: RequestAdmission,
    readonly path: string,
    written: string,
  ) {
    this.#admission = admission;
    this.#written = written;
  }

  get method(): string {
    return this.#admission.req.getCaseSensitiveMethod();
  }

  get host(): string {
    return this.#admission.host;
  }

  get query(): string {
    return this.#admission.req.getQuery() ?? '';
  }

  get url(): string {
    return this.query === '' ? this.#written : `${this.#written}?${this.query}`;
  }

  parameter(name: string): string | undefined {
    return parameterOf(this.query, name);
  }

  field(name: string): string {
    return octetsOfField(this.#admission.req, name);
  }

  client(): string {
    return this.#admission.client;
  }
}

/** Fields that may bear what lets somebody in. */
export type TokenFilter = Pick<RequestAdmission, 'withoutTokens'>;

const NAMES = new WeakMap<AccessRule, OwnNames>();

/** The names of a place, made once for each rule of a server. */
function namesAt(rule: AccessRule, own: OwnNames): OwnNames {
  const known = NAMES.get(rule);
  if (known !== undefined && known.views === own.views && known.dropped === own.dropped) return known;
  const names = namesWithTokens(own, rule.parameters);
  NAMES.set(rule, names);
  return names;
}

/** The first value of a query parameter, as it stands there. */
function parameterOf(query: string, name: string): string | undefined {
  let begin = 0;
  while (begin < query.length) {
    let end = query.indexOf('&', begin);
    if (end < 0) end = query.length;
    if (query.startsWith(name, begin)) {
      const after = begin + name.length;
      if (after === end) return '';
      if (after < end && query.charCodeAt(after) === 0x3d) return query.slice(after + 1, end);
    }
    begin = end + 1;
  }
  return undefined;
}

/** A URL whose query has no parameter of these names. */
function withoutParameters(url: string, names: ReadonlySet<string>): string {
  const mark = url.indexOf('?');
  if (mark < 0 || names.size === 0) return url;
  const [query = '', ...fragment] = url.slice(mark + 1).split('#');
  const kept = query.split('&').filter(each => !names.has(each.split('=')[0]!));
  return [url.slice(0, mark) + (kept.length > 0 ? `?${kept.join('&')}` : ''), ...fragment].join('#');
}
