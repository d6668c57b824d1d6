import { setTimeout as sleep } from 'node:timers/promises';
import { PUBLISHERS, type PublisherKind, RtmpPublisher } from '../../support/rtmp-publisher.js';
import { HEADERS, picture, sound } from './frames.js';

/** Milliseconds between frames, and pictures of a group. */
export const [STEP, GROUP] = [40, 25];
const TICK = 20;
const RETRY = 100;
/** Bytes of a picture: 600 kb/s. */
const SIZE = 3000;
/** Large messages in few chunks. */
const KIND: PublisherKind = {
  ...PUBLISHERS.gstreamer,
  style: { ...PUBLISHERS.gstreamer.style, chunkSize: 1 << 20 },
};

/** How a publisher goes: without a word, as programs end, or because another one takes its place. */
export type Departure = 'breaks' | 'ends' | 'is replaced';

/** A stream that is published again and again under one name. */
export class SoakStream {
  readonly name: string;
  readonly #port: number;
  #publisher: RtmpPublisher | undefined;
  /** The publisher's clock. */
  #raw = 0;
  #group = 0;
  #isConnecting = false;
  #timer: NodeJS.Timeout | undefined;
  /** Numbers of the next picture and frame of sound. */
  pictures = 0;
  sounds = 0;
  /** Bytes of all that has been sent. */
  bytes = 0;
  /** Times as many bytes in each picture. */
  burst = 1;
  /** A publisher that is there and sends nothing. */
  isSilent = false;

  constructor(port: number, name: string) {
    this.#port = port;
    this.name = name;
  }

  /** Publishes, as soon as it is let in. @param raw what the publisher's clock says, milliseconds */
  async connect(raw: number): Promise<void> {
    this.#isConnecting = true;
    for (;;) {
      try {
        const publisher = await RtmpPublisher.publish(this.#port, this.name, KIND);
        if (publisher.isPublishing) {
          this.#begin(publisher, raw);
          return;
        }
        publisher.break();
      } catch {
        // Nobody listens yet.
      }
      await sleep(RETRY);
    }
  }

  #begin(publisher: RtmpPublisher, raw: number): void {
    this.#publisher = publisher;
    this.#raw = raw;
    this.#group = 0;
    this.#send(publisher, 9, HEADERS.video);
    this.#send(publisher, 8, HEADERS.audio);
    this.#isConnecting = false;
  }

  #send(publisher: RtmpPublisher, type: 8 | 9, data: Buffer): void {
    this.bytes += data.length;
    publisher.media(type, this.#raw, data);
  }

  /** Sends a picture and a frame of sound. @param step milliseconds of the publisher's clock */
  frame(step = STEP, size = SIZE): void {
    const publisher = this.#publisher;
    if (publisher === undefined || publisher.isClosed) return;
    this.#raw += step;
    this.#send(publisher, 9, picture(this.pictures++, this.#group++ % GROUP === 0, size));
    this.#send(publisher, 8, sound(this.sounds++));
  }

  /** Resolves when what has been sent is taken. */
  async taken(): Promise<void> {
    const socket = this.#publisher?.socket;
    if (socket?.writableNeedDrain !== true || socket.destroyed) return;
    await new Promise<void>(resolve => {
      const over = () => {
        socket.off('drain', over).off('close', over);
        resolve();
      };
      socket.on('drain', over).on('close', over);
    });
  }

  /** Sends in real time from now on; comes again whenever its connection ends. */
  pace(): void {
    let due = performance.now();
    this.#timer = setInterval(() => {
      if (this.#publisher?.isClosed === true && !this.#isConnecting) void this.connect(0);
      const now = performance.now();
      for (; due <= now; due += STEP) if (!this.isSilent) this.frame(STEP, SIZE * this.burst);
    }, TICK);
  }

  /** Another publisher comes. @param raw what its clock says */
  async restart(how: Departure, raw: number): Promise<void> {
    const before = this.#publisher;
    this.#isConnecting = true;
    this.#publisher = undefined;
    if (how === 'breaks') before?.break();
    if (how === 'ends') await before?.stop();
    await this.connect(raw);
    if (how === 'is replaced') await before?.closed();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#publisher?.break();
  }
}
