/** Most points of one file; a file that has more keeps every second, fourth … of them. */
const POINTS_MAX = 64 * 1024;

/** Places at which a cut may begin, by position and time; both rise. Bounded in memory, whatever the file. */
export class Points {
  readonly positions: number[] = [];
  readonly times: number[] = [];
  #stride = 1;
  #offered = 0;

  /**
   * Adds a point, unless its time goes back or the list is being thinned.
   * @param position absolute offset, greater than that of the point before
   * @param time a whole number of ticks, at least 0
   */
  add(position: number, time: number): void {
    if (time < (this.times.at(-1) ?? 0) || this.#offered++ % this.#stride !== 0) return;
    if (this.positions.length === POINTS_MAX) {
      this.#stride *= 2;
      for (const row of [this.positions, this.times]) {
        for (let i = 0; i < POINTS_MAX / 2; i++) row[i] = row[i * 2]!;
        row.length = POINTS_MAX / 2;
      }
    }
    this.positions.push(position);
    this.times.push(time);
  }
}
