import { get } from 'node:http';
import { FlvReader } from '../../src/live/relay/flv-reader.js';
import { MessageViewer, OPCODE } from './message-viewer.js';
import { gotTags } from './test-viewer.js';
import { until } from './until.js';

/**
 * A viewer that comes again when its answer ends, as players do that are told so, and notes whatever is no good end: an
 * answer that is cut, a refusal, time that goes back further than to the key frame it begins with.
 */
abstract class ReturningViewer {
  /** What went wrong. */
  readonly wrong: string[] = [];
  /** Timestamp of the newest picture or sound. */
  last = -1;
  /** How often it has come. */
  visits = 0;
  protected isOver = false;
  #done: Promise<void> = Promise.resolve();

  /** @param url of the stream as FLV */
  constructor(protected readonly url: URL) {}

  start(): this {
    this.#done = this.#run();
    return this;
  }

  async stop(): Promise<void> {
    this.isOver = true;
    this.leave();
    await this.#done;
  }

  /** Resolves when the answer has ended. */
  protected abstract visit(): Promise<void>;
  protected abstract leave(): void;

  protected take(type: number, timestamp: number): void {
    if (type === 18) return;
    if (timestamp < this.last - 5000) this.wrong.push(`time ${timestamp} behind ${this.last}`);
    this.last = Math.max(this.last, timestamp);
  }

  protected miss(what: string): void {
    if (!this.isOver) this.wrong.push(`visit ${this.visits}: ${what}`);
  }

  async #run(): Promise<void> {
    while (!this.isOver && this.wrong.length === 0) {
      this.visits++;
      await this.visit();
    }
  }
}

/** By HTTP. */
export class ReturningHttpViewer extends ReturningViewer {
  protected leave: () => void = () => {};

  protected visit(): Promise<void> {
    return new Promise(resolve => {
      const request = get(this.url, { agent: false }, response => {
        if (response.statusCode !== 200) this.miss(String(response.statusCode));
        const reader = new FlvReader((type, timestamp) => this.take(type, timestamp));
        response.on('data', (chunk: Buffer) => reader.push(chunk));
        response.once('error', () => {});
        response.once('close', () => {
          if (!response.complete) this.miss('cut');
          resolve();
        });
      });
      this.leave = () => request.destroy();
      request.once('error', error => {
        this.miss(error.message);
        resolve();
      });
    });
  }
}

/** By WebSocket. */
export class ReturningMessageViewer extends ReturningViewer {
  protected leave: () => void = () => {};

  protected async visit(): Promise<void> {
    const viewer = await MessageViewer.open(Number(this.url.port), this.url.pathname).catch(error => {
      this.miss((error as Error).message);
    });
    if (viewer === undefined) return;
    this.leave = () => viewer.socket.destroy();
    if (this.isOver) this.leave();
    let read = 0;
    const look = () => {
      const { frames } = viewer;
      for (; read < frames.length; read++) {
        if (frames[read]!.opcode !== OPCODE.binary) continue;
        // The first message begins with the header of the file.
        const media = read === 0 ? frames[read]!.payload : Buffer.concat([FILE_HEAD, frames[read]!.payload]);
        for (const { type, timestamp } of gotTags(media).tags) this.take(type, timestamp);
      }
    };
    await until('the end of a visit by WebSocket', () => {
      look();
      return viewer.ended;
    });
    if (!viewer.head.startsWith('HTTP/1.1 101')) this.miss(viewer.head.slice(0, 40));
    else if (viewer.frames.at(-1)?.opcode !== OPCODE.close) this.miss('no close frame');
  }
}

const FILE_HEAD = Buffer.from('FLV\x01\x05\0\0\0\x09\0\0\0\0', 'latin1');
