import { asEdgeError, EdgeError } from '../base/errors.js';
import type { Origin, OriginAnswer, OriginFetch, OriginRequest, OriginSink, RefusedAnswer } from '../origin/origin.js';

/** What came of asking the origin: an answer that was taken, or a refusal. */
export type HeadResult<T> =
  | { readonly kind: 'taken'; readonly value: T }
  | { readonly kind: 'refused'; readonly error: EdgeError; readonly answer: RefusedAnswer | undefined };

/** What becomes of an answer: a value, and where its body goes; the fetch is cancelled when the body is not wanted. */
export interface Taken<T> {
  readonly value: T;
  readonly body: OriginSink | undefined;
}

/** A fetch whose head decides where its body goes. */
class HeadFetch<T> implements OriginSink {
  fetch!: OriginFetch;
  #body: OriginSink | undefined;
  #over = false;

  constructor(
    private readonly take: (answer: OriginAnswer, fetch: OriginFetch) => Taken<T>,
    private readonly settle: (result: HeadResult<T>) => void,
  ) {}

  answered(answer: OriginAnswer): void {
    try {
      const { value, body } = this.take(answer, this.fetch);
      this.#body = body;
      if (body === undefined) this.#end(answer.status !== 304);
      this.settle({ kind: 'taken', value });
    } catch (error) {
      this.#end(true);
      this.settle({ kind: 'refused', error: asEdgeError(error), answer: undefined });
    }
  }

  bytes(chunk: Uint8Array): void {
    if (!this.#over) this.#body?.bytes(chunk);
  }

  receive(socket: number, most: number): Uint8Array | undefined {
    return this.#over ? undefined : this.#body?.receive?.(socket, most);
  }

  ended(): void {
    if (!this.#over) this.#body?.ended();
  }

  failed(error: EdgeError, answer?: RefusedAnswer): void {
    if (this.#over) return;
    if (this.#body !== undefined) this.#body.failed(error);
    else {
      this.#over = true;
      this.settle({ kind: 'refused', error: answer?.status === 401 ? unauthorized(error, answer) : error, answer });
    }
  }

  #end(cancel: boolean): void {
    this.#over = true;
    if (cancel) this.fetch.cancel();
  }
}

/**
 * Asks the origin. `take` is called with the head, before the first byte of the body, and says what becomes of it; what
 * it throws is a refusal. Never rejects.
 */
export function fetchHead<T>(
  origin: Origin,
  request: OriginRequest,
  take: (answer: OriginAnswer, fetch: OriginFetch) => Taken<T>,
): Promise<HeadResult<T>> {
  return new Promise(resolve => {
    const head = new HeadFetch(take, resolve);
    head.fetch = origin.fetch(request, head);
  });
}

/** The origin's challenge goes on to the player, which has the credentials or not. */
function unauthorized({ options }: EdgeError, answer: RefusedAnswer): EdgeError {
  const challenge = answer.fields['www-authenticate'];
  return new EdgeError('unauthorized', 'the origin wants credentials, or other ones', {
    ...options,
    ...(challenge === undefined ? {} : { headers: { 'WWW-Authenticate': challenge } }),
  });
}
