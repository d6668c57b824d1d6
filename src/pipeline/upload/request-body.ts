import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';

/**
 * The body of a request, for a store that tus calls for it: what tus itself hands over has gone through five streams
 * and a copy, each of which holds bytes that a client sends again when this process dies.
 */
export class RequestBody {
  static readonly #current = new AsyncLocalStorage<RequestBody>();
  readonly stream: IncomingMessage;
  #stop = new AbortController().signal;

  constructor(stream: IncomingMessage) {
    this.stream = stream;
  }

  /** That of the request which is being answered, if any. */
  static get current(): RequestBody | undefined {
    return RequestBody.#current.getStore();
  }

  /** Answers a request with this as the current one. */
  during<T>(answer: () => T): T {
    return RequestBody.#current.run(this, answer);
  }

  /** Aborted when no more of it is to be read; what has come counts. */
  get stop(): AbortSignal {
    return this.#stop;
  }

  /** Has no more of it be read when `signal` is aborted. */
  stopBy(signal: AbortSignal): void {
    this.#stop = AbortSignal.any([this.#stop, signal]);
  }
}

/**
 * Hands over the bytes of a stream as they come, until it ends in whatever way or `stop` is aborted. The stream is
 * paused then.
 * @param take gives a promise when no more may come until it resolves
 * @throws what `take` throws
 */
export function pour(
  source: Readable,
  stop: AbortSignal,
  take: (bytes: Buffer) => Promise<void> | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let taking: Promise<void> | undefined;
    const end = () => {
      source.off('data', data).off('end', end).off('close', end).off('error', end).pause();
      stop.removeEventListener('abort', end);
      // What has been handed over is taken to the end.
      Promise.resolve(taking).then(resolve, reject);
    };
    const data = (bytes: Buffer) => {
      taking = take(bytes);
      if (taking === undefined) return;
      source.pause();
      taking.then(() => {
        if (!stop.aborted) source.resume();
      }, end);
    };
    if (source.destroyed || stop.aborted) {
      resolve();
      return;
    }
    stop.addEventListener('abort', end, { once: true });
    source.on('data', data).once('end', end).once('close', end).once('error', end);
  });
}
