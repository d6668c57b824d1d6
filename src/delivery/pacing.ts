import { Remembered } from '../base/remembered.js';
import { AnswerPace } from './pace.js';
import type { Pacer } from './pacer.js';
import { TokenBucket } from './token-bucket.js';

/** How fast players are sent what they ask for. */
export interface PacingSettings {
  /** Of each answer: a multiple of the film's own bitrate, bytes a second, or as fast as it goes. */
  readonly rate: 'off' | { readonly times: number } | { readonly bytes: number };
  /** Milliseconds of film that are sent at once, and bytes, before that. */
  readonly burst?: number | undefined;
  readonly after?: number | undefined;
  /** Bytes a second of one client, and of all players together; undefined where that is not bounded. */
  readonly client?: number | undefined;
  readonly total?: number | undefined;
}

/** What an answer is paced by. */
export interface PacedAnswer {
  /** Its connection and what is sent on it; '' where that can't be told, and every answer begins anew. */
  readonly connection: string;
  /** Undefined where that is not known. */
  readonly client: string | undefined;
  /** Bytes a second of the film; undefined when it is none. Asked for where the rate is a multiple of it. */
  bitrate(): number | undefined | Promise<number | undefined>;
}

/** Accounts that are remembered, in each of two generations: of connections, and of clients. */
const REMEMBERED = 16_384;
/** Milliseconds of film, and bytes, that are sent at once where the configuration does not say. */
const BURST = 20_000;
const AFTER = 2 * 1024 * 1024;
/** Seconds of its rate that an account of a client, or of all, saves up. */
const SHARED_BURST = 1;
/** The least that an account holds: a turn's worth. */
const LEAST = 128 * 1024;

/** Paces the answers of one place: each by itself, those of a client together, and all of them together. */
export class Pacing {
  readonly #settings: PacingSettings;
  readonly #pacer: Pacer;
  readonly #connections = new Remembered<TokenBucket>(REMEMBERED);
  readonly #clients = new Remembered<TokenBucket>(REMEMBERED);
  readonly #all: TokenBucket | undefined;

  constructor(settings: PacingSettings, pacer: Pacer) {
    this.#settings = settings;
    this.#pacer = pacer;
    const { total } = settings;
    this.#all = total === undefined ? undefined : sharedBucket(total);
  }

  /** The pace of an answer that begins. */
  begin(answer: PacedAnswer): AnswerPace {
    const { rate, client } = this.#settings;
    const isBounded = client !== undefined && answer.client !== undefined;
    const ofClient = isBounded ? this.#ofClient(answer.client, client) : undefined;
    const pace = new AnswerPace(
      this.#pacer,
      [ofClient, this.#all].filter(bucket => bucket !== undefined),
    );
    if (rate === 'off') pace.found(undefined);
    else if ('bytes' in rate)
      pace.found(this.#ofConnection(answer.connection, rate.bytes, this.#settings.after ?? AFTER));
    else this.#byBitrate(answer, rate.times, pace);
    return pace;
  }

  #byBitrate(answer: PacedAnswer, times: number, pace: AnswerPace): void {
    const burst = (this.#settings.burst ?? BURST) / 1000;
    const found = (bitrate: number | undefined) =>
      pace.found(
        bitrate === undefined ? undefined : this.#ofConnection(answer.connection, bitrate * times, bitrate * burst),
      );
    const bitrate = answer.bitrate();
    if (bitrate instanceof Promise) bitrate.then(found, () => found(undefined));
    else found(bitrate);
  }

  #ofConnection(connection: string, rate: number, burst: number): TokenBucket {
    const known = connection === '' ? undefined : this.#connections.get(connection);
    if (known !== undefined) return known;
    const bucket = new TokenBucket(rate, Math.max(LEAST, burst), performance.now());
    if (connection !== '') this.#connections.set(connection, bucket);
    return bucket;
  }

  #ofClient(client: string, rate: number): TokenBucket {
    const known = this.#clients.get(client) ?? sharedBucket(rate);
    this.#clients.set(client, known);
    return known;
  }
}

function sharedBucket(rate: number): TokenBucket {
  return new TokenBucket(rate, Math.max(LEAST, rate * SHARED_BURST), performance.now());
}

/** The pacing that settings ask for; undefined where they pace nothing. */
export function pacingOf(settings: PacingSettings | undefined, pacer: Pacer): Pacing | undefined {
  if (settings === undefined) return undefined;
  const { rate, client, total } = settings;
  const isOff = rate === 'off' && client === undefined && total === undefined;
  return isOff ? undefined : new Pacing(settings, pacer);
}
