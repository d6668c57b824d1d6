import { EdgeError } from '../../src/base/errors.js';
import type { StreamRing } from '../../src/live/publish/live-stream.js';
import type { LiveHeaders, LiveState, LiveTag } from '../../src/live/ring/live-tag.js';

/** A tag as a ring of tests keeps it. */
export interface KeptTag {
  readonly type: LiveTag['type'];
  readonly timestamp: number;
  readonly keyFrame: boolean;
  readonly body: string;
  /** Headers that hold for it. */
  readonly headers: LiveHeaders | undefined;
  /** Epochs before it. */
  readonly epoch: number;
}

/** A ring that keeps everything. */
export class FakeRing implements StreamRing {
  readonly tags: KeptTag[] = [];
  readonly states: (LiveState | 'left')[] = [];
  readonly versions: LiveHeaders[] = [];
  /** Whether somebody else writes it now. */
  isTaken = false;
  #epoch = 0;

  readonly age = 0;

  get head(): number {
    return this.tags.length;
  }

  get timestamp(): number {
    return this.tags.at(-1)?.timestamp ?? 0;
  }

  setHeaders(headers: LiveHeaders): void {
    this.versions.push(headers);
  }

  append({ type, timestamp, keyFrame, body }: LiveTag): boolean {
    if (this.isTaken) throw new EdgeError('internal', 'the ring has another writer');
    const text = Buffer.concat(body).toString('latin1');
    this.tags.push({ type, timestamp, keyFrame, body: text, headers: this.versions.at(-1), epoch: this.#epoch });
    return true;
  }

  newEpoch(): void {
    this.#epoch++;
  }

  setState(state: LiveState): void {
    this.states.push(state);
  }

  close(): void {
    this.states.push('ended');
  }

  leave(): void {
    this.states.push('left');
  }
}
