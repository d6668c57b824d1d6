/** A part of a film that a player watches from beginning to end. */
export interface Watch {
  film: number;
  /** First block, and number of blocks. */
  block: number;
  blocks: number;
}

/** What a trace is made from. */
export interface TraceOptions {
  films: number;
  views: number;
  /** Blocks of the shortest and the longest film; lengths are spread evenly between. */
  shortest: number;
  longest: number;
  /** Blocks that a viewer watches on average, all parts of a view together; exponentially spread. */
  watched: number;
  /** Exponent of Zipf's law for the films' popularity. */
  zipf: number;
  seed: number;
}

/** Length of a film in blocks. */
export function filmBlocks(film: number, { shortest, longest }: TraceOptions): number {
  return shortest + ((Math.imul(film + 1, 2654435761) >>> 0) % (longest - shortest + 1));
}

/**
 * Views in the order in which they begin. Six of ten begin at the film's beginning, the others anywhere; and at each
 * fifth of what is watched one viewer in five seeks to another place.
 */
export function filmTrace(options: TraceOptions): Watch[] {
  const random = randomNumbers(options.seed);
  const pick = zipf(options.films, options.zipf, random);
  const watches: Watch[] = [];
  for (let view = 0; view < options.views; view++) {
    const film = pick();
    const length = filmBlocks(film, options);
    let left = Math.max(1, Math.round(-Math.log(1 - random()) * options.watched));
    const fifth = Math.max(1, Math.round(left / 5));
    let block = random() < 0.6 ? 0 : Math.floor(random() * length);
    while (left > 0) {
      let blocks = 0;
      do blocks += fifth;
      while (blocks < left && random() >= 0.2);
      blocks = Math.min(blocks, left, length - block);
      watches.push({ film, block, blocks });
      left -= blocks;
      if (left > 0 && block + blocks >= length) break;
      block = Math.floor(random() * length);
    }
  }
  return watches;
}

/** Numbers from 0 to before 1, the same for the same seed (xorshift). */
export function randomNumbers(seed: number): () => number {
  let state = seed || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Draws numbers below `count`, the small ones oftener: by Zipf's law. */
export function zipf(count: number, exponent: number, random: () => number): () => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += (rank + 1) ** -exponent;
    sums[rank] = sum;
  }
  return () => {
    const wanted = random() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
