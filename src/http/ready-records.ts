import { expectConstants } from '../base/native.js';
import { RecordedRequest } from './recorded-request.js';

/** Numbers at the beginning of a record, as native/ready_records.h has them. */
const NUMBERS = 7;
expectConstants({ gateRecordNumbers: NUMBERS });
const NUMBER_BYTES = 8;

/** A ready answer that the access log is to tell of. */
export interface ReadyRecord {
  /** Of the answer. */
  readonly place: number;
  /** When the request came, in milliseconds since 1970. */
  readonly time: number;
  /** Seconds that the answer took. */
  readonly seconds: number;
  /** Of the body. */
  readonly bytes: number;
  readonly request: RecordedRequest;
}

/** Records that the gate has made of ready answers (native/ready_records.h). */
export class ReadyRecords {
  readonly #room: ArrayBuffer;
  readonly #numbers: Float64Array;
  readonly #octets: Buffer;
  /** Holds how many bytes are to be taken. */
  readonly #words: Uint32Array;
  readonly #word: number;

  constructor(room: ArrayBuffer, words: Uint32Array, word: number) {
    this.#room = room;
    this.#numbers = new Float64Array(room);
    this.#octets = Buffer.from(room);
    this.#words = words;
    this.#word = word;
  }

  /** Has the records taken that have been made since the last time; returns whether there were any. */
  take(each: (record: ReadyRecord) => void): boolean {
    const length = this.#words[this.#word]!;
    const numbers = this.#numbers;
    for (let at = 0; at < length; ) {
      const first = at / NUMBER_BYTES;
      const from = at + NUMBERS * NUMBER_BYTES;
      const head = from + numbers[first + 5]!;
      const request = new RecordedRequest(
        this.#room.slice(from, head),
        this.#octets.toString('latin1', head, head + numbers[first + 6]!),
      );
      each({
        place: numbers[first + 1]!,
        time: numbers[first + 2]!,
        seconds: numbers[first + 3]! / 1e9,
        bytes: numbers[first + 4]!,
        request,
      });
      at += numbers[first]!;
    }
    this.#words[this.#word] = 0;
    return length > 0;
  }
}
