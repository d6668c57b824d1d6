import { hasValidator } from '../fields.js';
import type { OriginAnswer, OriginRequest } from '../origin.js';
import { Overlap } from './overlap.js';
import type { AcceptedHead, Wanted } from './response-head.js';

/** Fewest bytes of an answer that is shorter than what was asked for: less would need too many requests. */
const SHORT_ANSWER = 16 * 1024;
/**
 * Most bytes that are read once more to come to where a fetch stopped, from a server that sends the whole object only.
 */
const REREAD_MAX = 16 * 1024 * 1024;

/** The parts of an answer that are not checked against what was asked for. */
export type AnswerRest = Pick<OriginAnswer, 'fields' | 'requestTime' | 'responseTime' | 'unframed'>;

/**
 * How far the body of a fetch has come to its sink, over all of its tries: what a further try asks for, and which of
 * its bytes are new.
 */
export class BodyProgress {
  /** The first answer, which the sink was given; undefined before. */
  answer: OriginAnswer | undefined;
  /** Next byte of the object that the sink is to get. */
  position = 0;
  /** The bytes of the last chunk went past the end of what was asked for. */
  overran = false;
  readonly #request: OriginRequest;
  /** End of what the sink is to get; undefined while nobody knows. */
  #end: number | undefined;
  /** Bytes of the present try that the sink has already. */
  #skip = 0;
  /** What a further try has to repeat, when there are no validators. */
  #overlap: Overlap | undefined;
  /** Where the present try began. */
  #tryStart = 0;

  constructor(request: OriginRequest) {
    this.#request = request;
  }

  /** What the next try asks for. */
  get wanted(): Wanted {
    if (!this.answer) return this.#request;
    const end = this.#end ?? this.#request.range?.end ?? Number.POSITIVE_INFINITY;
    const start = this.position - (this.#overlap?.length ?? 0);
    const whole = start === 0 && !this.#request.range;
    return {
      range: whole ? undefined : { start, end },
      condition: this.#overlap ? undefined : { kind: 'same', validator: this.answer.validator },
    };
  }

  /** A try begins. */
  beginTry(): void {
    this.#tryStart = this.position;
  }

  /** Takes the head of the first answer; `answer` is what it means for the sink. */
  begin(head: AcceptedHead, rest: AnswerRest): OriginAnswer {
    const { start, end } = this.#request.range ?? { start: 0, end: Number.POSITIVE_INFINITY };
    if (head.length !== undefined) this.#end = head.offset + head.length;
    // A server may answer more or less than was asked for; what is missing is asked for afterwards.
    if (head.status === 206) this.#end = Math.min(end, head.size ?? this.#end!);
    const offset = head.status === 206 ? start : head.offset;
    this.#skip = offset - head.offset;
    this.position = this.#tryStart = offset;
    const length = this.#end === undefined ? undefined : this.#end - offset;
    if (!hasValidator(head.validator)) this.#overlap = new Overlap();
    const { status, size, validator } = head;
    const { fields, requestTime, responseTime, unframed = false } = rest;
    this.answer = { status, offset, length, size, validator, fields, requestTime, responseTime, unframed };
    return this.answer;
  }

  /** Takes the head of a further try; false when it is of another object. */
  goOn(head: AcceptedHead): boolean {
    this.#skip = this.position - head.offset;
    const { size } = this.answer!;
    return head.size === undefined || size === undefined || head.size === size;
  }

  /** The bytes of a chunk that are new to the sink, perhaps none; undefined when they are of another version. */
  take(chunk: Uint8Array): Uint8Array | undefined {
    let fresh = chunk;
    if (this.#skip > 0) {
      if (this.#overlap?.repeats(chunk, this.#skip) === false) return undefined;
      const skipped = Math.min(this.#skip, chunk.length);
      this.#skip -= skipped;
      fresh = chunk.subarray(skipped);
    }
    const left = (this.#end ?? Number.POSITIVE_INFINITY) - this.position;
    this.overran = fresh.length > left;
    if (this.overran) fresh = fresh.subarray(0, left);
    if (fresh.length > 0) {
      this.position += fresh.length;
      this.#overlap?.push(fresh);
    }
    return fresh;
  }

  /** How many of the next `most` bytes `take` would hand on unseen. */
  takesAsItIs(most: number): number {
    if (this.#skip > 0 || this.#overlap !== undefined) return 0;
    return Math.min(most, (this.#end ?? Number.POSITIVE_INFINITY) - this.position);
  }

  /** True when all has come whose end is known. */
  get atEnd(): boolean {
    return this.position === this.#end;
  }

  /** True when a body that has ended is all of it. */
  get isWhole(): boolean {
    return this.#end === undefined || this.position === this.#end;
  }

  /** What the present try has brought, when it ended early: enough to ask for the rest, little, or nothing. */
  get broughtByTry(): 'enough' | 'little' | 'nothing' {
    const bytes = this.position - this.#tryStart;
    if (bytes >= SHORT_ANSWER) return 'enough';
    return bytes > 0 ? 'little' : 'nothing';
  }

  /**
   * False when the sink has bytes that nothing can tell from another version's, or too many to have them sent again.
   */
  get resumable(): boolean {
    const { answer } = this;
    if (!answer || this.position === answer.offset) return true;
    const sendsRanges = answer.status === 206 || answer.fields['accept-ranges'] === 'bytes';
    const isComparable = hasValidator(answer.validator) || this.#overlap?.tells === true;
    return isComparable && (sendsRanges || this.position <= REREAD_MAX);
  }
}
