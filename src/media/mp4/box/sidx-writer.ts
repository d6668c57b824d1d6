import { BoxWriter } from './box-writer.js';

/** Most references of a `sidx` (ISO/IEC 14496-12 section 8.16.3). */
export const REFERENCES_LIMIT = 0xffff;
/** A subsegment begins with a sync sample, and all that follows in decoding is presented after it: SAP type 1. */
export const SAP_CLOSED = 0x9000_0000;
/** A subsegment begins with a sync sample that others, which can't all be decoded, are presented before: SAP type 3. */
export const SAP_OPEN = 0xb000_0000;

/** Bytes of a `sidx` as it is written here. */
export function sidxSize(references: number): number {
  return 40 + references * 12;
}

/** Writes a `sidx` of one level that stands right before the first subsegment. */
export class SidxWriter {
  readonly #writer: BoxWriter;

  /**
   * @param time earliest presentation time of the first subsegment, ticks
   * @param references how many will follow, at least 1 and at most `REFERENCES_LIMIT`
   */
  constructor(referenceId: number, timescale: number, time: number, references: number) {
    const writer = new BoxWriter(sidxSize(references));
    writer.u32(sidxSize(references));
    writer.fourcc('sidx');
    writer.u32(0x100_0000);
    writer.u32(referenceId);
    writer.u32(timescale);
    writer.u64(time);
    writer.u64(0);
    writer.u16(0);
    writer.u16(references);
    this.#writer = writer;
  }

  /**
   * Adds a reference to the subsegment that follows the one before.
   * @param sap `SAP_CLOSED`, `SAP_OPEN`, or 0 when nothing is said
   * @returns false when a number is too great for its field, and nothing was written
   */
  reference(size: number, duration: number, sap: number): boolean {
    if (size >= 0x8000_0000 || duration >= 0x1_0000_0000) return false;
    this.#writer.u32(size);
    this.#writer.u32(duration);
    this.#writer.u32(sap);
    return true;
  }

  /** The box, after all its references. */
  take(): Uint8Array {
    return this.#writer.take();
  }
}
