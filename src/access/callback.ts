import { Remembered } from '../base/remembered.js';
import type { AccessRequest, Denial } from './access-request.js';

/** Who is asked whether somebody may come. */
export interface CallbackSettings {
  /** Asked by GET: 2xx lets in, 401, 403 and other statuses of 4xx keep out, everything else is a failure. */
  readonly url: string;
  /** Milliseconds for which an answer is kept, unless its Cache-Control says less. */
  readonly cache: number;
  /** Milliseconds for an answer. */
  readonly timeout: number;
  /** What a failure comes to: nobody is let in (closed), or everybody (open). */
  readonly failure: 'closed' | 'open';
  /** Fields of the request that go on to it, in lower case, and tell answers apart. */
  readonly forward: readonly string[];
}

/** An answer that is kept. */
interface Answer {
  readonly refusal: Denial;
  /** In milliseconds of the monotonic clock. */
  readonly until: number;
}

/** Answers that are kept, in each of two generations. */
const REMEMBERED = 8192;
/** Questions under way at once; more are failures. */
const UNDER_WAY = 256;

/** Asks another server whether a request may be let in, as nginx's auth_request does. */
export class Callback {
  readonly #settings: CallbackSettings;
  readonly #answers = new Remembered<Answer>(REMEMBERED);
  readonly #underWay = new Map<string, Promise<Denial>>();

  constructor(settings: CallbackSettings) {
    this.#settings = settings;
  }

  refusal(request: AccessRequest): Denial | Promise<Denial> {
    const fields = this.#fieldsOf(request);
    const question = JSON.stringify(fields);
    const known = this.#answers.get(question);
    if (known !== undefined && known.until > performance.now()) return known.refusal;
    const running = this.#underWay.get(question);
    if (running !== undefined) return running;
    if (this.#underWay.size >= UNDER_WAY) return this.#failed('too many questions are under way');
    const asking = this.#ask(fields, question).finally(() => this.#underWay.delete(question));
    this.#underWay.set(question, asking);
    return asking;
  }

  #fieldsOf(request: AccessRequest): Record<string, string> {
    const fields: Record<string, string> = {
      'x-original-method': request.method,
      'x-original-uri': request.url,
      'x-forwarded-host': request.host,
      'x-forwarded-for': request.client(),
    };
    for (const name of this.#settings.forward) {
      const value = request.field(name);
      if (value !== '') fields[name] = value;
    }
    return fields;
  }

  async #ask(fields: Record<string, string>, question: string): Promise<Denial> {
    const { url, cache, timeout } = this.#settings;
    try {
      const answer = await fetch(url, { headers: fields, redirect: 'manual', signal: AbortSignal.timeout(timeout) });
      await answer.body?.cancel();
      const { status } = answer;
      if (status >= 500 || status < 200 || (status >= 300 && status < 400)) {
        return this.#failed(`an answer of status ${status}`);
      }
      const refusal = answer.ok ? undefined : `the callback answered ${status}`;
      const lifetime = Math.min(cache, lifetimeOf(answer.headers.get('cache-control') ?? ''));
      if (lifetime > 0) this.#answers.set(question, { refusal, until: performance.now() + lifetime });
      return refusal;
    } catch (error) {
      const { cause, message } = error as Error;
      return this.#failed(cause instanceof Error ? cause.message : message);
    }
  }

  #failed(why: string): Denial {
    return this.#settings.failure === 'open' ? undefined : `the callback failed: ${why}`;
  }
}

/** Milliseconds for which Cache-Control allows an answer to be kept (RFC 9111 section 5.2.2). */
function lifetimeOf(control: string): number {
  if (/(?:^|[\s,])(?:no-store|no-cache)(?:$|[\s,=])/i.test(control)) return 0;
  const [, seconds] = /(?:^|[\s,])max-age="?(\d{1,9})/i.exec(control) ?? [];
  return seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds) * 1000;
}
