import { createHash } from 'node:crypto';
import type { ByteSource } from '../../base/byte-source.js';
import { EdgeError } from '../../base/errors.js';
import type { BlockReader } from '../../cache/read/block-reader.js';
import type { OpenObject } from '../../catalog/content.js';
import type { StoredObject } from '../../catalog/stored-object.js';
import type { ViewFile } from '../../view/view.js';
import { heldBytes, lengthOf } from '../../virtual-file/slice.js';
import { literal, type Span } from '../../virtual-file/span.js';
import type { RingFile } from './ring-file.js';

/** Bytes of an object beside what it holds. */
const WEIGHT = 2048;

/** What a file of HLS says of itself. */
export interface HlsHead {
  readonly contentType: string;
  /** Value of Cache-Control. */
  readonly cache: string;
}

/** A file of a live stream as an object that is in memory, and nowhere else. One answer may have many players. */
export class HlsObject implements OpenObject {
  readonly kind = 'object';
  readonly object: StoredObject;
  readonly age = 0;
  readonly outcome = 'memory';
  readonly answer: ViewFile;
  readonly #ring: RingFile | undefined;

  /** @param tag without quotes; of one URL, equal only for equal bytes */
  private constructor(tag: string, spans: readonly Span[], { contentType, cache }: HlsHead, ring?: RingFile) {
    const etag = `"${tag}"`;
    const size = lengthOf(spans);
    const file = { size, etag, lastModified: undefined, contentType, spans, seekActual: undefined };
    this.answer = { kind: 'file', opened: this, file, fields: [['Cache-Control', cache]] };
    this.object = {
      ...{
        key: tag,
        id: new Uint32Array(4) as StoredObject['id'],
        size,
        etag,
        validator: { etag, lastModified: undefined },
      },
      ...{ lastModified: undefined, contentType, fields: [] },
    };
    this.#ring = ring;
  }

  static text(text: string, head: HlsHead): HlsObject {
    const bytes = Buffer.from(text);
    const tag = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
    return new HlsObject(tag, [literal(bytes)], head);
  }

  static bytes(tag: string, bytes: Uint8Array, head: HlsHead): HlsObject {
    return new HlsObject(tag, [literal(bytes)], head);
  }

  static parts(tag: string, file: RingFile, head: HlsHead): HlsObject {
    return new HlsObject(tag, file.spans, head, file);
  }

  /** Bytes that it takes in memory, about. */
  get weight(): number {
    return WEIGHT + heldBytes(this.answer.file.spans) + (this.#ring?.weight ?? 0);
  }

  reader(): BlockReader {
    return this.#ring?.reader() ?? NOTHING_TO_READ;
  }

  source(): ByteSource {
    throw new EdgeError('internal', 'a file of a live stream is not read by seeking');
  }

  cachedUpTo(_start: number, end: number): number {
    return end;
  }

  release(): void {}
}

/** Of a file that is all literals. */
const NOTHING_TO_READ: BlockReader = {
  outcome: 'memory',
  read: () => undefined,
  release() {},
  gather: () => 0,
  want() {
    throw new EdgeError('internal', 'a file of a live stream has no such bytes');
  },
  close() {},
};
