import { BLOCK_SIZE } from '../base/block.js';
import type { ByteSource } from '../base/byte-source.js';
import type { ContentRequest, OpenObject } from '../catalog/content.js';
import type { MediaObject } from '../media/seek/media.js';

/** What is read first of a file that is looked into: what it begins with. */
export const HEADER: ContentRequest['hint'] = { start: 0, end: BLOCK_SIZE };

/** Identities of objects as text, which each request for something made of one needs. */
const identities = new WeakMap<OpenObject['object'], string>();

/** An open object as the media stage sees it. What a plan that is kept does not need is made when it is asked for. */
export class OpenedMedia implements MediaObject {
  readonly #opened: OpenObject;
  #source: ByteSource | undefined;

  constructor(opened: OpenObject) {
    this.#opened = opened;
  }

  get identity(): string {
    const { object } = this.#opened;
    let identity = identities.get(object);
    if (identity === undefined) {
      const { id } = object;
      identity = Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('hex');
      identities.set(object, identity);
    }
    return identity;
  }

  get etag(): string {
    return this.#opened.object.etag;
  }

  get lastModified(): number | undefined {
    return this.#opened.object.lastModified;
  }

  get contentType(): string {
    return this.#opened.object.contentType;
  }

  get source(): ByteSource {
    this.#source ??= this.#opened.source();
    return this.#source;
  }
}
