import { HttpClient, type TlsOptions } from '../../origin/http/undici-client.js';
import { type Call, Endpoint, type MessageSink } from './endpoint.js';
import { EtcdError } from './etcd-error.js';
import {
  type Compare,
  type EtcdKey,
  endOfPrefix,
  readKey,
  toBase64,
  toNumber,
  type WireHeader,
  type WireKey,
  type Write,
  wireCompare,
  wireWrite,
} from './messages.js';

/** Where etcd is and how to speak to it. */
export interface GatewayOptions {
  /** URLs of members, asked in turn. */
  readonly endpoints: readonly string[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: TlsOptions;
}

/** Milliseconds for a read or a transaction at one member. */
const CALL_TIMEOUT = 3000;
/** Milliseconds for one renewal of a lease: it is made again soon. */
const RENEW_TIMEOUT = 1000;
const CONNECT_TIMEOUT = 1000;

/** What a read gives. */
export interface RangeResult {
  readonly keys: readonly EtcdKey[];
  /** Of the whole store, at the time of the reading. */
  readonly revision: number;
  /** Id of the etcd cluster. */
  readonly store: string;
}

/** What came of a transaction. */
export interface TxnResult {
  /** Whether all comparisons held and everything was written. */
  readonly done: boolean;
  readonly revision: number;
}

/** etcd by the JSON gateway of its members: reads, transactions and leases, each asked of one member after another. */
export class Gateway {
  readonly #client: HttpClient;
  readonly #endpoints: readonly Endpoint[];
  readonly #user: { readonly name: string; readonly password: string } | undefined;
  /** The member that is asked first. */
  #current = 0;
  #token: string | undefined;

  constructor({ endpoints, username, password, tls = {} }: GatewayOptions) {
    this.#client = new HttpClient({
      connections: 8,
      connectTimeout: CONNECT_TIMEOUT,
      keepAlive: 30_000,
      maxHeaderSize: 16 * 1024,
      tls,
    });
    this.#endpoints = endpoints.map(url => new Endpoint(url, this.#client));
    this.#user = username === undefined ? undefined : { name: username, password: password ?? '' };
  }

  /** The member that is asked first. */
  get endpoint(): string {
    return this.#endpoints[this.#current]!.url;
  }

  /** Asks another member first from here on. */
  rotate(): void {
    this.#current = (this.#current + 1) % this.#endpoints.length;
  }

  /**
   * All keys that begin with `prefix`, as a majority has them.
   * @throws EtcdError
   */
  async range(prefix: string): Promise<RangeResult> {
    const body = { key: toBase64(prefix), range_end: endOfPrefix(prefix) };
    const { kvs = [], header } = await this.#call<{ kvs?: WireKey[]; header?: WireHeader }>('/v3/kv/range', body);
    return { keys: kvs.map(readKey), revision: revisionOf(header), store: header?.cluster_id ?? '' };
  }

  /**
   * Writes when all comparisons hold. One that is asked of several members since the first did not answer may have been
   * done although it is told not to be.
   * @throws EtcdError
   */
  async txn(compare: readonly Compare[], writes: readonly Write[]): Promise<TxnResult> {
    const body = { compare: compare.map(wireCompare), success: writes.map(wireWrite) };
    const { succeeded = false, header } = await this.#call<{ succeeded?: boolean; header?: WireHeader }>(
      '/v3/kv/txn',
      body,
    );
    return { done: succeeded, revision: revisionOf(header) };
  }

  /**
   * A new lease.
   * @param seconds the least time that it lives without renewal
   * @throws EtcdError
   */
  async grant(seconds: number): Promise<string> {
    const { ID } = await this.#call<{ ID?: string }>('/v3/lease/grant', { TTL: String(seconds) });
    if (ID === undefined) throw new EtcdError('protocol', 'expected a lease, found none', this.endpoint);
    return ID;
  }

  /**
   * Renews a lease, by a request of its own.
   * @returns false when it is not there any more
   * @throws EtcdError
   */
  async keepAlive(lease: string): Promise<boolean> {
    const { TTL } = await this.#call<{ TTL?: string }>('/v3/lease/keepalive', { ID: lease }, RENEW_TIMEOUT);
    return toNumber(TTL) > 0;
  }

  /** Ends a lease; all its keys go. @throws EtcdError */
  async revoke(lease: string): Promise<void> {
    await this.#call('/v3/lease/revoke', { ID: lease }, RENEW_TIMEOUT);
  }

  /**
   * A stream of one member: the one that is asked first now.
   * @throws EtcdError when it can't be told who we are
   */
  async stream(path: string, body: object, sink: MessageSink): Promise<Call> {
    const endpoint = this.#endpoints[this.#current]!;
    return endpoint.stream(path, body, await this.#authenticated(endpoint), sink);
  }

  /** Forgets who we are, since a member did not believe it: tokens live some minutes, and die with their member. */
  forgetToken(): void {
    this.#token = undefined;
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  /** Asks member after member, each once; and one that does not know our token twice. */
  async #call<T>(path: string, body: object, timeout = CALL_TIMEOUT): Promise<T> {
    let last: EtcdError | undefined;
    for (let tries = 0; tries < this.#endpoints.length; tries++) {
      const endpoint = this.#endpoints[this.#current]!;
      try {
        return (await this.#ask(endpoint, path, body, timeout)) as T;
      } catch (error) {
        last = error as EtcdError;
        if (!(error instanceof EtcdError) || !error.isElsewhere) throw error;
        this.rotate();
      }
    }
    throw last!;
  }

  async #ask(endpoint: Endpoint, path: string, body: object, timeout: number): Promise<unknown> {
    const token = await this.#authenticated(endpoint);
    try {
      return await endpoint.call(path, body, token, timeout);
    } catch (error) {
      if (!(error instanceof EtcdError) || error.failure !== 'auth' || token === undefined) throw error;
      this.forgetToken();
      return endpoint.call(path, body, await this.#authenticated(endpoint), timeout);
    }
  }

  async #authenticated(endpoint: Endpoint): Promise<string | undefined> {
    if (this.#user === undefined) return undefined;
    if (this.#token === undefined) {
      const answer = (await endpoint.call('/v3/auth/authenticate', this.#user, undefined, CALL_TIMEOUT)) as {
        token?: string;
      };
      this.#token = answer.token;
    }
    return this.#token;
  }
}

function revisionOf(header: WireHeader | undefined): number {
  return toNumber(header?.revision);
}
