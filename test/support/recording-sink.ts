import assert from 'node:assert/strict';
import { EDGE_ITSELF } from '../../src/base/asker.js';
import type { EdgeError } from '../../src/base/errors.js';
import { Askers } from '../../src/origin/askers.js';
import type {
  Origin,
  OriginAnswer,
  OriginFetch,
  OriginRequest,
  OriginSink,
  RefusedAnswer,
} from '../../src/origin/origin.js';
import { ContentVerifier } from './content.js';

/**
 * Takes the events of one fetch, and asserts the contract of `OriginSink`: nothing from within `fetch`, one answer
 * first, every byte that of (path, version, offset) of ./content.ts, exactly `length` bytes where that was said, and
 * nothing after `ended`, `failed` or `cancel`.
 *
 *   const sink = fetchInto(origin, { path: '/f', range: { start: 0, end: 100 } }, { version: 'v1' });
 *   await sink.over;          // 'ended', or the code of the error
 *   sink.answer, sink.bytesSeen, sink.error, sink.refused
 */
export class RecordingSink implements OriginSink {
  answer: OriginAnswer | undefined;
  /** Bytes that came. */
  bytesSeen = 0;
  error: EdgeError | undefined;
  refused: RefusedAnswer | undefined;
  /** Bytes kept, when asked for. */
  readonly kept: Buffer[] = [];
  /** Called at each event, for tests that pause or cancel. */
  onEvent: (kind: 'answered' | 'bytes') => void = () => {};
  fetch!: OriginFetch;
  #started = false;
  #outcome: string | undefined;
  #verifier: ContentVerifier | undefined;
  #settle!: (outcome: string) => void;
  /** Settles with 'ended' or the error's code. */
  readonly over = new Promise<string>(resolve => {
    this.#settle = resolve;
  });

  /** @param check path and version whose content the bytes must be; undefined to keep the bytes instead */
  constructor(readonly check: { path: string; version: string } | undefined) {}

  /** Marks that `fetch` has returned. */
  started(fetch: OriginFetch): void {
    this.fetch = fetch;
    this.#started = true;
  }

  cancel(): void {
    this.#outcome = 'cancelled';
    this.fetch.cancel();
  }

  #event(): void {
    assert.ok(this.#started, 'the sink is not called from within fetch()');
    assert.equal(this.#outcome, undefined, 'nothing comes after the end');
  }

  answered(answer: OriginAnswer): void {
    this.#event();
    assert.equal(this.answer, undefined, 'one answer');
    this.answer = answer;
    if (this.check) this.#verifier = new ContentVerifier(this.check.path, this.check.version, answer.offset);
    this.onEvent('answered');
  }

  bytes(chunk: Uint8Array): void {
    this.#event();
    assert.ok(this.answer, 'the answer comes first');
    assert.ok(chunk.length > 0);
    if (this.#verifier) this.#verifier.push(chunk);
    else this.kept.push(Buffer.from(chunk));
    this.bytesSeen += chunk.length;
    if (this.answer.length !== undefined) assert.ok(this.bytesSeen <= this.answer.length, 'no more than was said');
    this.onEvent('bytes');
  }

  ended(): void {
    this.#event();
    assert.ok(this.answer);
    if (this.answer.length !== undefined) assert.equal(this.bytesSeen, this.answer.length, 'as much as was said');
    this.#outcome = 'ended';
    this.#settle('ended');
  }

  failed(error: EdgeError, answer?: RefusedAnswer): void {
    this.#event();
    this.error = error;
    this.refused = answer;
    this.#outcome = error.code;
    this.#settle(error.code);
  }
}

/** Starts a fetch into a new sink. `keep` keeps the bytes rather than checking them; `version` is 'v1' by default. */
export function fetchInto(
  origin: Origin,
  request: Partial<OriginRequest> & { path: string },
  options: {
    version?: string;
    keep?: boolean;
    onEvent?: (sink: RecordingSink, kind: 'answered' | 'bytes') => void;
  } = {},
): RecordingSink {
  const { version = 'v1', keep = false, onEvent } = options;
  const sink = new RecordingSink(keep ? undefined : { path: request.path, version });
  if (onEvent) sink.onEvent = kind => onEvent(sink, kind);
  const askers = new Askers(EDGE_ITSELF);
  sink.started(
    origin.fetch({ query: '', range: undefined, condition: undefined, fields: {}, askers, ...request }, sink),
  );
  return sink;
}
