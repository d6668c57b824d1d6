import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFragments } from '../../support/fragment-samples.js';
import { type ReadPlaylist, readPlaylist } from '../../support/live-playlist.js';
import { readNal } from './frames.js';

/** Milliseconds until a player asks again that got no answer; and that an answer may take. */
const [AGAIN, PATIENCE] = [200, 30_000];

interface Place {
  readonly number: number;
  readonly part: number;
  readonly discontinuity: number;
}

/** A player of HLS with low latency: it waits for each part, gets it, and looks at every byte. */
export class Player {
  readonly #folder: string;
  readonly #violation: (text: string) => void;
  #isOver = false;
  #last: Place | undefined;
  #hasMissed = false;
  #picture: number | undefined;
  #time = 0;
  readonly #done: Promise<void>;
  /** Parts that have come, and requests that had no answer. */
  parts = 0;
  lost = 0;
  /** Times that what came next was not listed any more. */
  missed = 0;

  /** @param folder URL of the stream's files, with a slash at the end */
  constructor(folder: string, violation: (text: string) => void) {
    this.#folder = folder;
    this.#violation = violation;
    this.#done = this.#play();
  }

  /** Number of the newest picture; -1 before any. */
  get picture(): number {
    return this.#picture ?? -1;
  }

  leave(): Promise<void> {
    this.#isOver = true;
    return this.#done;
  }

  async #play(): Promise<void> {
    let query = '';
    while (!this.#isOver) {
      const answer = await ask(`${this.#folder}v1.m3u8${query}`);
      query = '';
      if (answer?.status === 200) {
        try {
          const playlist = readPlaylist(answer.body.toString());
          if (await this.#take(playlist)) query = queryOf(playlist.hint);
        } catch (error) {
          this.#violation(`a playlist: ${(error as Error).message}`);
        }
      } else {
        this.lost++;
        // Nothing has come yet, or nobody publishes.
        if (answer !== undefined && ![404, 503].includes(answer.status))
          this.#violation(`a playlist is ${answer.status}`);
      }
      if (query === '') await sleep(AGAIN);
    }
  }

  /** Gets what is new; false when that can't be had. */
  async #take({ segments, sequence }: ReadPlaylist): Promise<boolean> {
    const { number: last = -1, part: lastPart = -1 } = this.#last ?? {};
    if ((segments.at(-1)?.number ?? sequence) < last) this.#violation('a playlist goes back');
    // What was listed while nobody asked is not listed any more.
    this.#hasMissed = last >= 0 && !segments.some(({ number, parts }) => number === last && parts.length > 0);
    if (this.#hasMissed) this.missed++;
    for (const { number, parts, discontinuity } of segments) {
      for (const [part, { uri, isIndependent }] of parts.entries()) {
        const isNew = number > last || (number === last && part > lastPart);
        if (!isNew || (this.#last === undefined && !isIndependent)) continue;
        const answer = await ask(`${this.#folder}${uri}`);
        if (answer?.status !== 200) {
          if (answer !== undefined) this.#violation(`${uri}, which is listed, is ${answer.status}`);
          this.lost++;
          return false;
        }
        this.#part({ number, part, discontinuity }, answer.body, isIndependent);
        this.#hasMissed = false;
      }
    }
    return true;
  }

  #part(place: Place, bytes: Buffer, isIndependent: boolean): void {
    const before = this.#last;
    this.#last = place;
    this.parts++;
    const goesOn = !this.#hasMissed && before?.discontinuity === place.discontinuity;
    const name = `part ${place.number}.${place.part}`;
    for (const { samples } of readFragments(bytes)) {
      for (const [at, { time, isSync, data }] of samples.entries()) {
        const { number, isKey } = readNal(Buffer.from(data, 'base64'));
        if (isKey !== isSync) this.#violation(`${name}: picture ${number} is of another kind`);
        if (at === 0 && isIndependent !== isKey) this.#violation(`${name} is said to be independent: ${isIndependent}`);
        const isNext = this.#picture === undefined || number === this.#picture + 1;
        if ((goesOn || at > 0) && !isNext) this.#violation(`${name}: picture ${number} comes behind ${this.#picture}`);
        if (!isNext && number <= this.#picture!) this.#violation(`${name}: picture ${number} comes again`);
        if (goesOn && time < this.#time) this.#violation(`${name}: time goes back from ${this.#time} to ${time}`);
        this.#picture = number;
        this.#time = time;
      }
    }
  }
}

function queryOf(hint: string | undefined): string {
  const [, number, part] = /(\d+)\.(\d+)\.m4s$/.exec(hint ?? '') ?? [];
  return number === undefined ? '' : `?_HLS_msn=${number}&_HLS_part=${part}`;
}

/** An answer; undefined when the connection ends before it is whole. */
function ask(url: string): Promise<{ readonly status: number; readonly body: Buffer } | undefined> {
  return new Promise(resolve => {
    const request = get(url, { agent: false, timeout: PATIENCE }, response => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
      response.on('error', () => resolve(undefined));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}
