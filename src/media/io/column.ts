/** Rows to a piece, unless told. */
const PIECE = 4096;

/**
 * A column of numbers that grows by pieces, so that it takes as many bytes as it has, and no copy is made of it on the
 * way.
 */
export class Column {
  length = 0;
  readonly #pieces: Float64Array[] = [];
  #last = new Float64Array(0);

  /** @param piece rows by which it grows, at least 1: as many as there will be, where that is known */
  constructor(private readonly piece = PIECE) {}

  push(value: number): void {
    const at = this.length++ % this.piece;
    if (at === 0) {
      this.#last = new Float64Array(this.piece);
      this.#pieces.push(this.#last);
    }
    this.#last[at] = value;
  }

  /** The number of a row, which must exist. */
  at(row: number): number {
    return this.#pieces[Math.floor(row / this.piece)]![row % this.piece]!;
  }

  /** All of it, and `room` more rows of 0. */
  whole(room = 0): Float64Array {
    const whole = new Float64Array(this.length + room);
    for (const [i, rows] of this.#pieces.entries()) {
      const at = i * this.piece;
      whole.set(rows.subarray(0, this.length - at), at);
    }
    return whole;
  }
}
