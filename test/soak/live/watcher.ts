import { get, type IncomingMessage } from 'node:http';
import { readTag } from './frames.js';

const [FLV_HEAD, TAG_HEAD, TAG_TAIL] = [13, 11, 4];
/** Milliseconds by which time goes back where it begins anew, at least. */
const EPOCH = 2 ** 30;

/** A viewer by HTTP-FLV that looks at every byte. */
export class Watcher {
  #rest: Buffer = Buffer.alloc(0);
  #hasHead = false;
  #response: IncomingMessage | undefined;
  readonly #violation: (text: string) => void;
  readonly #times = new Map<number, number>();
  readonly #numbers = new Map<number, number>();
  /** Bytes and pictures that have come, and times that pictures were missing. */
  bytes = 0;
  pictures = 0;
  gaps = 0;
  /** Times that timestamps began anew. */
  epochs = 0;
  isOver = false;
  /** The viewer has left. */
  hasLeft = false;

  private constructor(violation: (text: string) => void) {
    this.#violation = violation;
  }

  /** @param violation told what must not be */
  static open(url: string, violation: (text: string) => void): Watcher {
    const watcher = new Watcher(violation);
    const over = () => {
      watcher.isOver = true;
    };
    get(url, { agent: false }, response => {
      if (watcher.hasLeft) {
        response.destroy();
        return;
      }
      watcher.#response = response;
      response.on('error', over).on('close', over);
      response.on('end', () => {
        if (response.statusCode === 200 && watcher.#rest.length > 0) violation('an answer ends within a tag');
      });
      if (response.statusCode === 200) response.on('data', (chunk: Buffer) => watcher.#take(chunk));
      else response.resume();
    }).on('error', over);
    return watcher;
  }

  /** Number of the newest picture; -1 before any. */
  get picture(): number {
    return this.#numbers.get(9) ?? -1;
  }

  /** Timestamp of the newest picture. */
  get time(): number {
    return this.#times.get(9) ?? -1;
  }

  pause(): void {
    this.#response?.socket.pause();
  }

  resume(): void {
    this.#response?.socket.resume();
  }

  leave(): void {
    this.hasLeft = true;
    this.#response?.destroy();
  }

  #take(chunk: Buffer): void {
    this.bytes += chunk.length;
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#hasHead && bytes.length >= FLV_HEAD) {
      this.#hasHead = true;
      if (bytes.toString('latin1', 0, 5) !== 'FLV\x01\x05')
        this.#violation('an answer begins with no FLV of two tracks');
      bytes = bytes.subarray(FLV_HEAD);
    }
    let at = 0;
    while (this.#hasHead && at + TAG_HEAD <= bytes.length) {
      const size = bytes.readUIntBE(at + 1, 3);
      const end = at + TAG_HEAD + size + TAG_TAIL;
      if (end > bytes.length) break;
      if (bytes.readUInt32BE(end - TAG_TAIL) !== TAG_HEAD + size) this.#violation('a tag is not whole');
      const time = bytes.readUIntBE(at + 4, 3) + bytes[at + 7]! * 2 ** 24;
      this.#tag(bytes[at]!, time, bytes.subarray(at + TAG_HEAD, end - TAG_TAIL));
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }

  #tag(type: number, time: number, data: Buffer): void {
    if (![8, 9, 18].includes(type)) this.#violation(`a tag of type ${type}`);
    const before = this.#times.get(type) ?? 0;
    if (time < before) {
      if (before - time < EPOCH) this.#violation(`time goes back from ${before} to ${time} in tags of type ${type}`);
      else if (type === 9) this.epochs++;
    }
    this.#times.set(type, time);
    try {
      const frame = readTag(type, data);
      if (frame !== undefined) this.#frame(type, frame.number, frame.isKey);
    } catch (error) {
      this.#violation((error as Error).message);
    }
  }

  #frame(type: number, number: number, isKey: boolean): void {
    const before = this.#numbers.get(type);
    this.#numbers.set(type, number);
    if (before !== undefined && number <= before) this.#violation(`frame ${number} comes behind ${before}`);
    if (type !== 9) return;
    this.pictures++;
    const follows = before !== undefined && number === before + 1;
    if (!follows && !isKey) this.#violation(`picture ${number}, no key frame, comes behind ${before ?? 'nothing'}`);
    if (before !== undefined && !follows) this.gaps++;
  }
}
