import type { AccessRequest } from '../access/access-request.js';
import { type AccessRule, type AccessRules, plainPath } from '../access/access-rules.js';
import { EdgeError } from '../base/errors.js';
import type { FrontRequest } from './front-end.js';
import type { HttpContext } from './http-context.js';
import type { Reply } from './reply.js';
import { type OwnNames, parseHost } from './target.js';

/** What rules of access say of a request; undefined where there are none. */
export function admissionOf(
  context: HttpContext,
  req: FrontRequest,
  host: string,
  client: () => string,
): Admission | undefined {
  return context.access === undefined ? undefined : new Admission(context.access, context, req, host, client);
}

/** Whether a request is let in to what has no objects; when not, that is its answer. */
export function letsIn(context: HttpContext, req: FrontRequest, reply: Reply): boolean {
  try {
    admissionOf(context, req, parseHost(req.getHeader('host')), () => reply.client)?.check();
    return true;
  } catch (error) {
    reply.fail(error);
    return false;
  }
}

/** Lets a request in by the rules of access, or not. To be used within the handler of the request. */
class Admission {
  readonly #rule: AccessRule | undefined;
  readonly #rules: AccessRules;
  readonly #context: HttpContext;
  readonly #req: FrontRequest;
  readonly #host: string;
  readonly #path: string;
  readonly #client: () => string;

  /**
   * @param rules of the context
   * @param host of the request, in lower case and without port
   * @param client address of the client
   */
  constructor(rules: AccessRules, context: HttpContext, req: FrontRequest, host: string, client: () => string) {
    this.#rules = rules;
    this.#context = context;
    this.#req = req;
    this.#host = host;
    this.#path = plainPath(req.getUrl());
    this.#client = client;
    this.#rule = rules.find(host, this.#path);
  }

  /** Names of query parameters that no origin sees, in this place. */
  get names(): OwnNames {
    const { ownNames } = this.#context;
    return this.#rule === undefined ? ownNames : { ...ownNames, tokens: this.#rule.parameters };
  }

  /**
   * What the URL itself must bear.
   * @throws EdgeError `forbidden`
   */
  check(): void {
    this.#checkBy(this.#rule, this.#path);
  }

  /**
   * What is made of objects elsewhere needs what these need.
   * @throws EdgeError `forbidden`
   */
  checkObjects(paths: readonly string[]): void {
    for (const each of paths) {
      const path = plainPath(each);
      const rule = this.#rules.find(this.#host, path);
      if (rule !== this.#rule) this.#checkBy(rule, path);
    }
  }

  #checkBy(rule: AccessRule | undefined, path: string): void {
    const request: AccessRequest = {
      path,
      parameter: name => parameterOf(this.#req.getQuery() ?? '', name),
      field: name => this.#req.getHeader(name),
      client: this.#client,
    };
    const reason = rule?.refusal(request);
    if (reason === undefined) return;
    const fields = { reason, host: this.#host, path, client: this.#client() };
    this.#context.badEnds.warn(`access ${reason}`, fields, 'a request was not let in');
    throw new EdgeError('forbidden', 'this request is not let in');
  }
}

/** The first value of a query parameter, as it stands there. */
function parameterOf(query: string, name: string): string | undefined {
  for (const each of query.split('&')) {
    if (each === name) return '';
    if (each.startsWith(name) && each[name.length] === '=') return each.slice(name.length + 1);
  }
  return undefined;
}
