/** Rows to a piece. */
const PIECE = 4096;

/**
 * A column of numbers that grows by pieces, so that it takes as many bytes as it has, and no copy is made of it on the
 * way.
 */
export class Column {
  length = 0;
  readonly #pieces: Float64Array[] = [];
  #last = new Float64Array(0);

  push(value: number): void {
    const at = this.length++ % PIECE;
    if (at === 0) {
      this.#last = new Float64Array(PIECE);
      this.#pieces.push(this.#last);
    }
    this.#last[at] = value;
  }

  /** The number of a row, which must exist. */
  at(row: number): number {
    return this.#pieces[Math.floor(row / PIECE)]![row % PIECE]!;
  }

  /** All of it, and `room` more rows of 0. */
  whole(room = 0): Float64Array {
    const whole = new Float64Array(this.length + room);
    for (const [i, piece] of this.#pieces.entries()) whole.set(piece.subarray(0, this.length - i * PIECE), i * PIECE);
    return whole;
  }
}
