import { createSecretKey } from 'node:crypto';
import {
  createLocalJWKSet,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import { EdgeError } from '../base/errors.js';
import type { PublicKey } from '../base/key-file.js';
import { plainPath } from '../base/places.js';
import { Remembered } from '../base/remembered.js';
import type { AccessRequest, Denial } from './access-request.js';
import { cookieOf } from './cookies.js';
import { keySetAt } from './key-set.js';

/** Which JSON Web Tokens (RFC 7519) let somebody in. */
export interface TokenSettings {
  /** Secret of HS256; undefined where there is none. */
  readonly secret?: string | undefined;
  /** Keys of RS256 and ES256: a file with a JWK set (RFC 7517) or a key in PEM, or the URL of such a set. */
  readonly keys?: string | undefined;
  /** Milliseconds for which a set that came from a URL is taken to be good. */
  readonly keysTtl: number;
  /** What `aud` must name; undefined for anything. */
  readonly audience?: string | undefined;
  /** What `iss` must be; undefined for anything. */
  readonly issuer?: string | undefined;
  /** Claim with a beginning of the path, or several, one of which must fit; undefined where no claim says so. */
  readonly prefix?: string | undefined;
  /** Names of the cookie and of the query parameter that may hold a token, which else stands in Authorization. */
  readonly cookie?: string | undefined;
  readonly parameter?: string | undefined;
}

/** What is kept of a token that was right. */
interface Claims {
  /** Seconds since 1970; undefined where the token does not say. */
  readonly expires: number | undefined;
  readonly notBefore: number | undefined;
  /** Beginnings of the path; undefined where no claim says so. */
  readonly prefixes: readonly string[] | undefined;
}

/** Tokens that are remembered, in each of two generations. */
const REMEMBERED = 4096;
/** Tokens that are looked at at once, each of which takes a thread of the process for some 0.1 ms. */
const UNDER_WAY = 64;
const BEARER = /^Bearer +([\w.~+/-]{1,16384}=*)$/i;
const WORDS: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'the token has expired',
  ERR_JWKS_NO_MATCHING_KEY: 'the token is signed by no key that is known',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'the signature of the token is another',
  ERR_JOSE_ALG_NOT_ALLOWED: 'the token is signed in another way than is allowed',
};

const finderOf = (keys: readonly PublicKey[]) => createLocalJWKSet({ keys: [...keys] });

/** Tells whether a request bears a token of somebody who has the key. */
export class TokenAccess {
  readonly #settings: TokenSettings;
  readonly #options: JWTVerifyOptions;
  readonly #keyOf: JWTVerifyGetKey;
  readonly #verified = new Remembered<Claims>(REMEMBERED);
  readonly #underWay = new Map<string, Promise<Claims | string>>();

  /** @throws EdgeError `bad_config` when the file of keys can't be used */
  constructor(settings: TokenSettings) {
    const { secret, keys, keysTtl, audience, issuer } = settings;
    this.#settings = settings;
    const shared = secret === undefined ? undefined : createSecretKey(Buffer.from(secret));
    const set = keys === undefined ? undefined : keySetAt(keys, keysTtl, finderOf);
    const algorithms = [...(shared ? ['HS256'] : []), ...(set ? ['RS256', 'ES256'] : [])];
    this.#options = { algorithms, ...(audience && { audience }), ...(issuer && { issuer }) };
    this.#keyOf = (header, token) => (header.alg === 'HS256' ? shared! : set!(header, token));
  }

  /** Why a request is not let in; undefined when it is. A token that is seen for the first time takes a while. */
  refusal(request: AccessRequest, now: number): Denial | Promise<Denial> {
    const token = this.#tokenOf(request);
    if (token === undefined) return 'no token';
    const known = this.#verified.get(token);
    if (known !== undefined) return this.#judge(known, request.path, now);
    const { path } = request;
    return this.#verify(token).then(found =>
      typeof found === 'string' ? found : this.#judge(found, path, Date.now()),
    );
  }

  #tokenOf(request: AccessRequest): string | undefined {
    const { parameter, cookie } = this.#settings;
    const inQuery = parameter === undefined ? undefined : request.parameter(parameter);
    if (inQuery !== undefined) return inQuery;
    const inCookie = cookie === undefined ? undefined : cookieOf(request.field('cookie'), cookie);
    return inCookie ?? BEARER.exec(request.field('authorization'))?.[1];
  }

  #verify(token: string): Promise<Claims | string> {
    const running = this.#underWay.get(token);
    if (running !== undefined) return running;
    if (this.#underWay.size >= UNDER_WAY) {
      throw new EdgeError('overloaded', 'many tokens are being looked at: come back later', { retryAfter: 1 });
    }
    const verifying = this.#claimsOf(token).finally(() => this.#underWay.delete(token));
    this.#underWay.set(token, verifying);
    return verifying;
  }

  async #claimsOf(token: string): Promise<Claims | string> {
    try {
      const payload = await this.#payloadOf(token);
      const claims = { expires: payload.exp, notBefore: payload.nbf, prefixes: this.#prefixesOf(payload) };
      this.#verified.set(token, claims);
      return claims;
    } catch (error) {
      if (error instanceof errors.JWTClaimValidationFailed) return `the claim ${error.claim} of the token does not fit`;
      if (error instanceof errors.JOSEError) return WORDS[error.code] ?? 'the token is none';
      return `the token can’t be looked at: ${(error as Error).message}`;
    }
  }

  async #payloadOf(token: string): Promise<JWTPayload> {
    try {
      return (await jwtVerify(token, this.#keyOf, this.#options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      // The token does not say which of several keys it is signed with.
      for await (const key of error) {
        const found = await jwtVerify(token, key, this.#options).catch(other => {
          if (!(other instanceof errors.JWSSignatureVerificationFailed)) throw other;
        });
        if (found !== undefined) return found.payload;
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  }

  #prefixesOf(payload: JWTPayload): readonly string[] | undefined {
    const { prefix } = this.#settings;
    if (prefix === undefined) return undefined;
    const claim = payload[prefix];
    const texts = Array.isArray(claim) ? claim : [claim];
    return texts
      .filter(each => typeof each === 'string' && each.startsWith('/'))
      .map(each => plainPath(each as string));
  }

  #judge({ expires, notBefore, prefixes }: Claims, path: string, now: number): Denial {
    const second = Math.floor(now / 1000);
    if (expires !== undefined && expires <= second) return 'the token has expired';
    if (notBefore !== undefined && notBefore > second) return 'the token is not good yet';
    if (prefixes === undefined || prefixes.some(each => path.startsWith(each))) return undefined;
    return 'the path does not begin with a prefix of the token';
  }
}
