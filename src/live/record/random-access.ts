import { BoxWriter } from '../../media/mp4/box/box-writer.js';

/** Most places that are kept; of more, every other one is. */
const PLACES_MAX = 32 * 1024;
/** Numbers of track fragment, run and sample of a place: each is the first. */
const FIRST = [1, 1, 1];

/** Where the fragments of a file's first track can be begun at (`mfra`, ISO/IEC 14496-12 section 8.8.9). */
export class RandomAccessTable {
  #places: { readonly time: number; readonly offset: number }[] = [];
  #stride = 1;
  #count = 0;

  /** @param time of presentation, ticks @param offset of the `moof` */
  add(time: number, offset: number): void {
    if (this.#count++ % this.#stride !== 0) return;
    this.#places.push({ time: Math.max(0, time), offset });
    if (this.#places.length < PLACES_MAX) return;
    this.#places = this.#places.filter((_, at) => at % 2 === 0);
    this.#stride *= 2;
  }

  box(): Uint8Array {
    const writer = new BoxWriter(64 + this.#places.length * 19);
    const mfra = writer.open('mfra');
    const tfra = writer.openFull('tfra', 1, 0);
    writer.u32(1);
    writer.u32(0);
    writer.u32(this.#places.length);
    for (const { time, offset } of this.#places) {
      writer.u64(time);
      writer.u64(offset);
      for (const number of FIRST) writer.u8(number);
    }
    writer.close(tfra);
    const mfro = writer.openFull('mfro', 0, 0);
    writer.u32(writer.length + 4);
    writer.close(mfro);
    writer.close(mfra);
    return writer.take();
  }
}
