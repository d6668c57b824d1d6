import { isLoopback } from '../base/loopback.js';
import { Networks } from '../base/networks.js';
import { Remembered } from '../base/remembered.js';
import { TokenBucket } from '../delivery/token-bucket.js';

/** How many requests a second clients may make. */
export interface RequestRateSettings {
  /** Of each client; undefined for any. */
  readonly rate?: number | undefined;
  /** Other rates of clients in some networks; the first that fits counts. */
  readonly byAddress: readonly { readonly network: string; readonly rate?: number | undefined }[];
  /** Bounds clients on this machine, too. */
  readonly loopback: boolean;
}

/** Clients that are remembered, in each of two generations. */
const REMEMBERED = 16_384;
/** Seconds of its rate that a client may use at once, and least requests: a page asks for many things. */
const BURST = 2;
const LEAST = 10;

/** Bounds the requests a second of each client. */
export class RequestRates {
  readonly #clients = new Remembered<TokenBucket>(REMEMBERED);
  readonly #rate: number | undefined;
  readonly #others: readonly { readonly networks: Networks; readonly rate: number | undefined }[];
  readonly #loopback: boolean;

  constructor({ rate, byAddress, loopback }: RequestRateSettings) {
    this.#rate = rate;
    this.#others = byAddress.map(({ network, rate }) => ({ networks: new Networks([network]), rate }));
    this.#loopback = loopback;
  }

  /**
   * Counts a request.
   * @param client address; '' where nobody knows it, who is not bounded
   * @returns seconds after which it may be made, when it comes too soon
   */
  tooSoon(client: string, now = performance.now()): number | undefined {
    const rate = this.#rateOf(client);
    if (rate === undefined) return undefined;
    const bucket = this.#clients.get(client) ?? new TokenBucket(rate, Math.max(LEAST, rate * BURST), now);
    this.#clients.set(client, bucket);
    if (bucket.available(now) < 1) return Math.ceil(bucket.until(1, now) / 1000);
    bucket.spend(1);
    return undefined;
  }

  #rateOf(client: string): number | undefined {
    const other = this.#others.find(({ networks }) => networks.has(client));
    if (other !== undefined) return other.rate;
    return client === '' || (!this.#loopback && isLoopback(client)) ? undefined : this.#rate;
  }
}

/** The bounds that settings ask for; undefined where they ask for none. */
export function requestRatesOf(settings: RequestRateSettings | undefined): RequestRates | undefined {
  if (settings === undefined) return undefined;
  const isOff = settings.rate === undefined && settings.byAddress.length === 0;
  return isOff ? undefined : new RequestRates(settings);
}
