import type { MediaReport } from '../media/report/media-report.js';
import type { PackagingInspection } from './inspect-packaging.js';

/** What `inspect` finds out. Times in seconds unless named otherwise. */
export interface Inspection extends MediaReport {
  readonly target: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly index: {
    /** Bytes in memory, and in the store. */
    readonly memory: number;
    readonly stored: number;
    /** Milliseconds to compile it from what is cached. */
    readonly milliseconds: number;
    /** Blocks of 256 KiB that compiling reads. */
    readonly blocks: number;
  };
  /** The seek that was asked for, or one to the middle; undefined when the film is too short for one. */
  readonly seek: SeekCost | undefined;
  readonly packaging: PackagingInspection;
}

/** What a seek costs. */
export interface SeekCost {
  /** Where to, and where the answer begins. */
  readonly start: number;
  readonly actual: number;
  /** Milliseconds to plan it from what is cached. */
  readonly milliseconds: number;
  /** Blocks of 256 KiB that the plan reads when nothing is cached but the index. */
  readonly blocks: number;
  /**
   * Bytes of the answer, those of them that stand before the media, and those that are made and kept while it is sent.
   */
  readonly size: number;
  readonly head: number;
  readonly made: number;
}
