import type { Log } from '../../base/log.js';
import { type Fields, integerOf } from '../fields.js';
import type { Dialect, Location } from '../http/dialect.js';
import type { Wanted } from '../http/response-head.js';
import type { OriginRequest } from '../origin.js';
import { type Refusal, refusal } from '../refusal.js';
import { canonicalQuery, keyPath } from './s3-key.js';
import type { CredentialsSource, S3Signer } from './s3-signer.js';

/** Error codes that speak of the edge's own credentials, not of the object. */
const CREDENTIAL_CODES = new Set([
  'AccountProblem',
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidSecurity',
  'InvalidToken',
  'RequestExpired',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
  'TokenRefreshRequired',
]);

/** Error codes of a passing trouble, some of which come with a status of 400. */
const PASSING_CODES = new Set([
  'InternalError',
  'RequestLimitExceeded',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
]);

/** Error codes that mean that the bucket is elsewhere than the configuration says. */
const PLACE_CODES = new Set([
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
  'PermanentRedirect',
  'TemporaryRedirect',
]);

/** Milliseconds between two log lines about the same trouble. */
const LOG_INTERVAL = 60_000;

function element(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]{1,200})</${name}>`).exec(xml)?.[1];
}

/** What an S3-compatible store does differently from a plain HTTP server: names, signatures, errors in XML. */
export class S3Dialect implements Dialect {
  readonly tellsSecrets = true;
  readonly #signer: S3Signer;
  readonly #credentials: CredentialsSource;
  readonly #log: Log;
  /** Milliseconds by which the store's clock is ahead of ours, once it has complained. */
  #skew = 0;
  #logged = { code: '', at: Number.NEGATIVE_INFINITY };

  constructor(signer: S3Signer, credentials: CredentialsSource, log: Log) {
    this.#signer = signer;
    this.#credentials = credentials;
    this.#log = log;
  }

  /**
   * Fields of the player are not sent on. The query is what the origin's rules have left of the player's, and is
   * signed.
   */
  locate({ path, query }: OriginRequest): Location | undefined {
    const key = keyPath(path);
    return key === undefined ? undefined : { path: key, query: canonicalQuery(query), fields: {} };
  }

  async sign(url: string, fields: Record<string, string>): Promise<Record<string, string>> {
    const credentials = await this.#credentials.current();
    if (!credentials) return fields;
    return { ...fields, ...(await this.#signer.sign(url, credentials, Date.now() + this.#skew)) };
  }

  explain(status: number, fields: Fields, body: string, wanted: Wanted): Refusal | undefined {
    const head = { status, fields };
    const code = element(body, 'Code') ?? '';
    if (status === 416 && wanted.range) {
      const size = integerOf(element(body, 'ActualObjectSize'));
      if (size === undefined) return undefined;
      return refusal('range_not_satisfiable', 'the range lies past the end of the object', 'never', head, { size });
    }
    if (CREDENTIAL_CODES.has(code)) return this.#unwelcome(code, head);
    if (PASSING_CODES.has(code) && status < 500) {
      return refusal('origin_unavailable', `the store is busy (${code})`, 'any', head);
    }
    if (PLACE_CODES.has(code)) {
      const region = fields['x-amz-bucket-region'] ?? element(body, 'Region');
      const endpoint = element(body, 'Endpoint');
      this.#complain(code, { region, endpoint }, 'the bucket is elsewhere: correct s3.region or s3.endpoint');
      return refusal('origin_protocol', `the store says that the bucket is elsewhere (${code})`, 'otherReplica', head);
    }
    if (code === 'InvalidObjectState') return refusal('forbidden', 'the object is archived', 'never', head);
    if (code === 'KeyTooLongError') return refusal('not_found', 'no object can have that name', 'never', head);
    return undefined;
  }

  /** The credentials are wrong, or were until this moment. */
  #unwelcome(code: string, head: { readonly status: number; readonly fields: Fields }): Refusal {
    const message = `the store does not take the edge's credentials (${code})`;
    const skew = Date.parse(head.fields.date ?? '') - Date.now();
    const late = code === 'RequestTimeTooSkewed' && Math.abs(skew - this.#skew) > 60_000;
    if (late) this.#skew = skew;
    const expired = code === 'ExpiredToken' || code === 'RequestExpired' || code === 'TokenRefreshRequired';
    if (expired) this.#credentials.expired();
    if (!late)
      this.#complain(code, {}, 'the store does not take the credentials: correct s3 keys, file or environment');
    return refusal('origin_unavailable', message, late || expired ? 'any' : 'otherReplica', head);
  }

  #complain(code: string, fields: object, text: string): void {
    const now = performance.now();
    if (this.#logged.code === code && now - this.#logged.at < LOG_INTERVAL) return;
    this.#logged = { code, at: now };
    this.#log.error({ code, ...fields }, text);
  }
}
