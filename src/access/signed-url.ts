import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { decodeOctets, octetsOf } from '../base/percent.js';
import { Remembered } from '../base/remembered.js';
import type { AccessRequest, Denial } from './access-request.js';

/** How the URLs of a rule are signed. */
export interface SignedSettings {
  /**
   * `secure_link_md5`: MD5 of the template, in which `{secret}` stands, as nginx's module of that name has it;
   * `hmac_sha256`: HMAC-SHA-256 of the template with the secret (RFC 2104).
   */
  readonly scheme: 'secure_link_md5' | 'hmac_sha256';
  /** What is signed: text with `{expires}`, `{path}`, `{prefix}`, `{ip}` and `{secret}`. */
  readonly template: string;
  /** Query parameter that holds the signature, in base64url (RFC 4648 section 5). */
  readonly signature: string;
  /** Query parameter that holds the last second that the URL is good for, counted from 1970; undefined for no end. */
  readonly expires?: string | undefined;
  /** Query parameter that holds what the path must begin with, percent-encoded; undefined where nothing does. */
  readonly prefix?: string | undefined;
  readonly secret: string;
}

/** Octets of a signature of each scheme. */
const LENGTHS = { secure_link_md5: 16, hmac_sha256: 32 } as const;
const BASE64URL = /^[A-Za-z0-9_-]{1,86}={0,2}$/;
/** Seconds since 1970. */
const TIME = /^\d{1,18}$/;
/** Signatures that are remembered, in each of two generations: those of films that are being watched. */
const REMEMBERED = 8192;
const PLACEHOLDER = /\{(expires|path|prefix|ip|secret)\}/;

/** What a signature that was right is good for. */
interface Verified {
  /** Path and client that it is of; undefined where it is of any. */
  readonly path: string | undefined;
  readonly client: string | undefined;
  /** Last second, counted from 1970. */
  readonly until: number;
  /** What the path must begin with. */
  readonly start: string;
}

/** Tells whether a URL bears the signature of somebody who knows the secret. */
export class SignedUrl {
  /** Names of its query parameters: they are neither in cache keys nor sent to origins. */
  readonly parameters: readonly string[];
  readonly #settings: SignedSettings;
  /** Texts as octets, and between them names of placeholders. */
  readonly #template: readonly string[];
  readonly #secret: Buffer;
  readonly #signsPath: boolean;
  readonly #signsClient: boolean;
  /** Signatures that were right, by the query that they stood in. */
  readonly #verified = new Remembered<Verified>(REMEMBERED);

  constructor(settings: SignedSettings) {
    const { signature, expires, prefix, template, secret } = settings;
    this.#settings = settings;
    this.parameters = [signature, expires, prefix].filter(name => name !== undefined);
    this.#template = template.split(PLACEHOLDER).map((part, i) => (i % 2 === 0 ? octetsOf(part) : part));
    this.#secret = Buffer.from(secret);
    this.#signsPath = template.includes('{path}');
    this.#signsClient = template.includes('{ip}');
  }

  /** A signature is good for one path alone. */
  get isOfPath(): boolean {
    return this.#signsPath;
  }

  /**
   * Why a request is not let in; undefined when it is.
   * @param now in milliseconds since 1970
   */
  refusal(request: AccessRequest, now: number): Denial {
    const path = this.#signsPath ? request.path : undefined;
    const client = this.#signsClient ? request.client() : undefined;
    let known = this.#verified.get(request.query);
    if (known === undefined || known.path !== path || known.client !== client) {
      const found = this.#verify(request, path, client);
      if (typeof found === 'string') return found;
      known = found;
      this.#verified.set(request.query, known);
    }
    if (known.until < Math.floor(now / 1000)) return 'expired';
    return request.path.startsWith(known.start) ? undefined : 'the path does not begin with the prefix';
  }

  /**
   * Milliseconds since 1970 until which all who come by the URL of a request that was let in are; 0 where it is for one
   * client.
   */
  goodUntil(request: AccessRequest): number {
    const known = this.#signsClient ? undefined : this.#verified.get(request.query);
    if (known === undefined || (this.#signsPath && known.path !== request.path)) return 0;
    return (known.until + 1) * 1000;
  }

  #verify(request: AccessRequest, path: string | undefined, client: string | undefined): Verified | string {
    const { signature, expires, prefix } = this.#settings;
    const found = request.parameter(signature);
    if (found === undefined) return 'no signature';
    const until = expires === undefined ? undefined : request.parameter(expires);
    if (expires !== undefined && (until === undefined || !TIME.test(until))) return 'no time of expiry';
    const within = prefix === undefined ? undefined : request.parameter(prefix);
    if (prefix !== undefined && within === undefined) return 'no prefix';
    const start = decodeOctets(within ?? '');
    const wrong = this.#compare(found, request, until ?? '', start);
    // What is signed is believed from here on.
    return wrong ?? { path, client, until: until === undefined ? Number.POSITIVE_INFINITY : Number(until), start };
  }

  #compare(found: string, request: AccessRequest, expires: string, prefix: string): Denial {
    if (!BASE64URL.test(found)) return 'the signature is no base64url';
    const given = Buffer.from(found, 'base64url');
    if (given.length !== LENGTHS[this.#settings.scheme]) return 'the signature has another length';
    return timingSafeEqual(given, this.#sign(request, expires, prefix)) ? undefined : 'the signature is another';
  }

  #sign(request: AccessRequest, expires: string, prefix: string): Buffer {
    const { scheme, secret } = this.#settings;
    const hash = scheme === 'hmac_sha256' ? createHmac('sha256', this.#secret) : createHash('md5');
    const values = { expires, prefix, path: request.path, secret: octetsOf(secret) };
    let text = '';
    this.#template.forEach((part, i) => {
      if (i % 2 === 0) text += part;
      else text += part === 'ip' ? request.client() : values[part as keyof typeof values];
    });
    return hash.update(text, 'latin1').digest();
  }
}
