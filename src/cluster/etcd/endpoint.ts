import type { ExchangeSink, OriginExchange } from '../../origin/http/origin-exchange.js';
import type { TransportFailure } from '../../origin/http/transport-failure.js';
import type { HttpClient } from '../../origin/http/undici-client.js';
import { EtcdError, errorOf } from './etcd-error.js';
import { JsonLines } from './json-lines.js';
import type { WireError } from './messages.js';

/** What takes the messages of a stream; nothing comes after `ended`. */
export interface MessageSink {
  message(message: unknown): void;
  ended(error: EtcdError): void;
}

/** A request that is under way. */
export interface Call {
  cancel(): void;
}

const FAILURES: Partial<Record<TransportFailure, 'protocol' | 'auth'>> = { protocol: 'protocol', tls: 'auth' };

/** One member of etcd, by its JSON gateway. */
export class Endpoint {
  readonly url: string;
  readonly #client: HttpClient;
  readonly #origin: string;
  readonly #base: string;

  /** @param url such as `http://10.0.0.1:2379` */
  constructor(url: string, client: HttpClient) {
    const { origin, pathname } = new URL(url);
    this.url = url;
    this.#client = client;
    this.#origin = origin;
    this.#base = pathname.replace(/\/$/, '');
  }

  /**
   * One request and its answer; of a stream the first message, after which it is closed.
   * @param timeout milliseconds for all of it
   * @throws EtcdError
   */
  call(path: string, body: object, token: string | undefined, timeout: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        call.cancel();
        reject(new EtcdError('timeout', `expected an answer within ${timeout} ms, found none`, this.url));
      }, timeout);
      const settle = () => {
        clearTimeout(timer);
        call.cancel();
      };
      const call = this.stream(path, body, token, {
        message(message) {
          settle();
          resolve(message);
        },
        ended(error) {
          settle();
          reject(error);
        },
      });
    });
  }

  /** A request whose answer is messages without end. Errors that come as messages end it, too. */
  stream(path: string, body: object, token: string | undefined, sink: MessageSink): Call {
    const bytes = Buffer.from(JSON.stringify(body));
    const fields: Record<string, string> = {
      'content-type': 'application/json',
      'content-length': String(bytes.length),
      // A member that has lost its leader says so, instead of being silent.
      'grpc-metadata-hasleader': 'true',
    };
    if (token !== undefined) fields.authorization = token;
    const exchange: OriginExchange = this.#client.post(
      this.#origin,
      this.#base + path,
      fields,
      bytes,
      new Messages(this.url, sink, () => exchange.cancel()),
    );
    return exchange;
  }
}

/** Makes messages of an answer's bytes. */
class Messages implements ExchangeSink {
  readonly #url: string;
  readonly #sink: MessageSink;
  readonly #cancel: () => void;
  readonly #lines = new JsonLines();
  #status = 0;
  /** The text of an answer that is no message. */
  #refusal = '';
  #over = false;

  constructor(url: string, sink: MessageSink, cancel: () => void) {
    this.#url = url;
    this.#sink = sink;
    this.#cancel = cancel;
  }

  sent(): void {}

  answered(status: number): void {
    this.#status = status;
  }

  bytes(chunk: Uint8Array): void {
    if (this.#status !== 200) {
      if (this.#refusal.length < 4096) this.#refusal += Buffer.from(chunk).toString('utf8');
      return;
    }
    try {
      for (const message of this.#lines.push(chunk)) this.#take(message);
    } catch (error) {
      this.#end(new EtcdError('protocol', `expected the gateway of etcd: ${(error as Error).message}`, this.#url));
    }
  }

  ended(): void {
    if (this.#status !== 200) {
      this.#end(refusalOf(this.#status, this.#refusal, this.#url));
      return;
    }
    try {
      const last = this.#lines.end();
      if (last !== undefined) this.#take(last);
    } catch {
      this.#end(new EtcdError('protocol', 'expected the gateway of etcd, found no JSON', this.#url));
    }
    this.#end(new EtcdError('unreachable', 'the member ended the stream', this.#url));
  }

  failed(kind: TransportFailure, cause: Error): void {
    this.#end(new EtcdError(FAILURES[kind] ?? 'unreachable', cause.message, this.#url));
  }

  #take(message: unknown): void {
    if (this.#over) return;
    const { result, error } = (message ?? {}) as { result?: unknown; error?: unknown };
    if (error !== undefined && result === undefined) {
      const wire = typeof error === 'object' ? (error as WireError) : (message as WireError);
      this.#end(errorOf(this.#status, wire, this.#url));
    } else this.#sink.message(result ?? message);
  }

  #end(error: EtcdError): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancel();
    this.#sink.ended(error);
  }
}

function refusalOf(status: number, text: string, url: string): EtcdError {
  try {
    const { error, ...rest } = JSON.parse(text) as { error?: unknown };
    return errorOf(
      status,
      typeof error === 'object' && error !== null ? error : { error: String(error), ...rest },
      url,
    );
  } catch {
    return errorOf(status, { message: text.trim().slice(0, 300) || `status ${status}` }, url);
  }
}
