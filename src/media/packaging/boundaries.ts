/** Seconds by which a sample may come before a boundary and still count as the first one after it. */
const LATITUDE = 0.005;
/** Part of the length that a segment lasts at least, where key frames allow. */
const LEAST = 1 / 4;

/** Where segments are to begin, in seconds of the package's timeline: rising places, and then multiples of a length. */
export class Boundaries {
  #next = 0;

  /**
   * @param places rising
   * @param from second from which multiples of `length` hold
   * @param length seconds, more than 0
   */
  constructor(
    private readonly places: ArrayLike<number>,
    private readonly from: number,
    private readonly length: number,
  ) {}

  /** Seconds of the first boundary after a moment, less the latitude. Moments must rise. */
  after(second: number): number {
    const moment = second + LATITUDE;
    while (this.#next < this.places.length && this.places[this.#next]! <= moment) this.#next++;
    const place = this.places[this.#next];
    if (place !== undefined) return place - LATITUDE;
    const later = Math.max(Math.floor(moment / this.length) + 1, Math.ceil(this.from / this.length));
    return Math.max(later, Math.ceil(second / this.length + LEAST)) * this.length - LATITUDE;
  }
}
