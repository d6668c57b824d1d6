import { source as sourceSpan } from '../../../virtual-file/span.js';
import { type Reading, read } from '../../io/reading.js';
import { u32 } from '../box/box.js';
import type { Scan } from '../box/box-scan.js';
import { broken } from '../box/broken.js';
import { markBefore, marks, STRIDE, type Table } from './table.js';
import type { TableBytes } from './table-bytes.js';
import type { TableCut } from './table-cut.js';

/**
 * `subs`, sub-samples (ISO/IEC 14496-12 section 8.7.7): entries of any size for some of the samples. Column 0: number,
 * from 1, of the sample of the entry at the mark. Column 1: byte of the table at which that entry begins.
 */

/** Sample delta and subsample count of an entry. */
const ENTRY_HEAD = 6;
const WINDOW = 64 * 1024;
/** Nanoseconds that an entry costs. */
const ENTRY_WORK = 25;

/** Bytes of one sub-sample: size, priority, discardable, codec parameters. */
function partSize(table: Table): number {
  return table.prelude[0] === 1 ? 10 : 8;
}

/** Compiles `subs`. */
export function* compileSubs(scan: Scan, table: Table): Reading<Table> {
  const numbers = new Float64Array(marks(table.count));
  const positions = new Float64Array(numbers.length);
  const walk = new EntryWalk(table, 0, 0);
  for (let entry = 0; entry < table.count; entry++) {
    const { position, wanted } = walk;
    if (wanted > 0) walk.show(yield* read(scan.source, table.offset + position, wanted));
    walk.next();
    if (entry % STRIDE === 0) {
      numbers[entry / STRIDE] = walk.sample;
      positions[entry / STRIDE] = position;
      scan.source.spend(STRIDE * ENTRY_WORK);
      yield* scan.source.breathe();
    }
  }
  return { ...table, length: walk.position, columns: [numbers, positions] };
}

/** Passes over the entries, some thousands to a read. */
class EntryWalk {
  #window: Uint8Array = new Uint8Array(0);
  #from = 0;

  /**
   * @param position byte of the table at which an entry begins
   * @param sample number of the sample of the entry before it
   */
  constructor(
    private readonly table: Table,
    public position: number,
    public sample: number,
  ) {}

  /** Bytes, `position` first, that `show` must be given before `next`; 0 when it needs none. */
  get wanted(): number {
    const left = this.table.length - this.position;
    const isShown = this.position - this.#from + ENTRY_HEAD <= this.#window.length;
    return isShown || left < ENTRY_HEAD ? 0 : Math.min(WINDOW, left);
  }

  show(window: Uint8Array): void {
    this.#window = window;
    this.#from = this.position;
  }

  /** Goes past one entry; `sample` becomes the number of its sample. */
  next(): void {
    const { table, position } = this;
    if (position + ENTRY_HEAD > table.length) throw broken('box "subs" ends inside an entry');
    const at = position - this.#from;
    const delta = u32(this.#window, at);
    const parts = (this.#window[at + 4]! << 8) | this.#window[at + 5]!;
    this.sample += delta;
    this.position += ENTRY_HEAD + parts * partSize(table);
    if (this.position > table.length) throw broken('box "subs" ends inside an entry');
    if (this.sample > 0xffff_ffff) throw broken('box "subs" speaks of samples that can not be');
  }
}

/** The entries for samples `[first, end)`, counted from `first`. */
export function cutSubs(source: TableBytes, table: Table, first: number, end: number): TableCut {
  const from = entryFrom(source, table, first + 1);
  const to = entryFrom(source, table, end + 1);
  if (from.entry >= to.entry) return { kind: 'entries', table, count: 0 };
  const position = table.offset + from.position + 4;
  const body = sourceSpan(position, table.offset + to.position - position);
  return { kind: 'entries', table, count: to.entry - from.entry, head: [from.sample - first], body };
}

/** The first entry whose sample's number is at least `sample`, or where the entries end. */
function entryFrom(
  source: TableBytes,
  table: Table,
  sample: number,
): { entry: number; position: number; sample: number } {
  const [numbers, positions] = table.columns as [Float64Array, Float64Array];
  const mark = markBefore(numbers, sample - 1);
  let entry = mark * STRIDE;
  if (entry >= table.count) return { entry, position: table.length, sample };
  const walk = new EntryWalk(table, positions[mark]!, 0);
  for (const limit = Math.min(table.count, entry + STRIDE); entry < limit; entry++) {
    const { position, wanted } = walk;
    if (wanted > 0) walk.show(source.read(table.offset + position, wanted));
    walk.next();
    // The first entry's delta counts from an entry that was not read; its sample is in the column.
    if (entry === mark * STRIDE) walk.sample = numbers[mark]!;
    if (walk.sample >= sample) return { entry, position, sample: walk.sample };
  }
  return { entry, position: walk.position, sample };
}
