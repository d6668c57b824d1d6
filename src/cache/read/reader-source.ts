import { type Asker, EDGE_ITSELF } from '../../base/asker.js';
import { type ByteSource, READ_MAX } from '../../base/byte-source.js';
import { EdgeError } from '../../base/errors.js';
import type { ObjectLoader } from '../fetch/object-loader.js';
import type { BlockReader } from './block-reader.js';
import { CachedReader } from './reader.js';

/**
 * What is lent is copied here: fresh memory for each part of a long table costs more than all that is done with it.
 */
const lent = new Uint8Array(READ_MAX / 4);

/**
 * Random reads of an object, whatever tier its bytes come from: at once when they are in memory. Demands nothing
 * between reads, so it may be kept for as long as its owner likes.
 */
export class ReaderSource implements ByteSource {
  readonly size: number;
  readonly #object: ObjectLoader;
  readonly #asker: Asker;
  /** For what is at hand: it never waits and asks for nothing ahead. */
  #peek: BlockReader | undefined;

  /** @param asker for whom it reads */
  constructor(object: ObjectLoader, asker: Asker = EDGE_ITSELF) {
    this.#object = object;
    this.#asker = asker;
    this.size = object.size;
  }

  read(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    return this.#read(offset, length, undefined);
  }

  lend(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    return this.#read(offset, length, length <= lent.length ? lent : undefined);
  }

  /** @param buffer where bytes that are at hand go; otherwise to one of their own */
  #read(offset: number, length: number, buffer: Uint8Array | undefined): Uint8Array | Promise<Uint8Array> {
    if (!(offset >= 0 && length >= 0 && length <= READ_MAX && offset + length <= this.size)) {
      throw new EdgeError(
        'unplayable',
        `bytes ${offset} to ${offset + length} lie outside the file of ${this.size} bytes`,
      );
    }
    const target = buffer?.subarray(0, length) ?? new Uint8Array(length);
    this.#peek ??= new CachedReader(this.#object, undefined, this.#asker, false);
    const copied = copy(this.#peek, offset, target, 0);
    if (copied === length) return target;
    const own = buffer ? target.slice() : target;
    return copyAll(new CachedReader(this.#object, undefined, this.#asker), offset, own, copied);
  }
}

/**
 * Copies what is at hand of the object from `offset` on into `target`, from `copied` on; returns how much has been
 * copied then.
 */
function copy(reader: BlockReader, offset: number, target: Uint8Array, copied: number): number {
  while (copied < target.length) {
    const bytes = reader.read(offset + copied, offset + target.length);
    if (bytes === undefined) break;
    target.set(bytes, copied);
    copied += bytes.length;
    reader.release();
  }
  return copied;
}

function copyAll(reader: BlockReader, offset: number, target: Uint8Array, copied: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const end = offset + target.length;
    const listener = {
      readable() {
        try {
          copied = copy(reader, offset, target, copied);
          if (copied < target.length) {
            reader.want(offset + copied, end, listener);
            return;
          }
        } catch (error) {
          listener.failed(error);
          return;
        }
        reader.close();
        resolve(target);
      },
      failed(error: unknown) {
        reader.close();
        reject(error);
      },
    };
    reader.want(offset + copied, end, listener);
  });
}
