import type { Readable } from 'node:stream';
import { asEdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { Lru } from '../../base/lru.js';
import { ID, infoKey, manifestKey, UPLOADS } from '../storage/layout.js';
import { getJson, type ObjectStorage, putJson } from '../storage/object-storage.js';
import { removeUpload } from '../storage/remove-upload.js';
import { PieceWriter } from './piece-writer.js';
import { pour, RequestBody } from './request-body.js';
import { DataStore, ERRORS, Upload } from './tus.js';
import { readUploadInfo, type UploadInfo } from './upload-info.js';
import { NOTHING, type Reached, UploadPieces } from './upload-pieces.js';

/** Bytes of what a server remembers of uploads; it is a hint only. */
const REMEMBERED = 16 * 1024 * 1024;
/** Bytes of an entry beside what the client said. */
const ENTRY_SIZE = 256;

/** What tus tells clients that send nothing. */
const EMPTY = { status_code: 400, body: 'expected a file that is not empty\n' };

/** What a store of pieces is made from. */
export interface PieceStoreOptions {
  readonly storage: ObjectStorage;
  /** Milliseconds after which an unfinished upload is removed. */
  readonly expire: number;
  readonly log: Log;
  /** Told of each whole upload, perhaps more than once. */
  finished(id: string): Promise<void>;
  /** Told of each upload that its client has taken back. */
  removed(id: string): Promise<void>;
}

/**
 * Keeps uploads as pieces in the storage and nothing anywhere else, so that any server goes on with any upload
 * (tus 1.0: core, creation, expiration, termination).
 */
export class PieceStore extends DataStore {
  override readonly extensions = ['creation', 'creation-with-upload', 'expiration', 'termination'];
  readonly #options: PieceStoreOptions;
  readonly #infos = new Lru<UploadInfo>(REMEMBERED);
  /** What has come of uploads so far. */
  readonly counts = { begun: 0, whole: 0, removed: 0, bytes: 0 };
  /** How far uploads are known to have come. */
  readonly #ends = new Lru<Reached>(REMEMBERED / 4);

  constructor(options: PieceStoreOptions) {
    super();
    this.#options = options;
  }

  override async create(upload: Upload): Promise<Upload> {
    if (upload.size === undefined || !(upload.size > 0)) throw EMPTY;
    const { owner = '', ...metadata } = upload.metadata ?? {};
    const info = { size: upload.size, metadata, created: new Date().toISOString(), owner: owner ?? '' };
    await putJson(this.#options.storage, infoKey(upload.id), info);
    this.#remember(upload.id, info);
    this.counts.begun += 1;
    this.#ends.set(upload.id, NOTHING, ENTRY_SIZE);
    return this.#describe(upload.id, info, 0);
  }

  override async getUpload(id: string): Promise<Upload> {
    const info = await this.#info(id);
    if (info === undefined) throw ERRORS.FILE_NOT_FOUND;
    const { offset } = await this.#reached(id, info);
    // The server that took the last byte may have died before it said so.
    if (offset === info.size) await this.#finish(id, info);
    return this.#describe(id, info, offset);
  }

  override async write(stream: Readable, id: string, offset: number): Promise<number> {
    const info = await this.#info(id);
    if (info === undefined) throw ERRORS.FILE_NOT_FOUND;
    const known = this.#ends.get(id);
    const at = known?.offset === offset ? known : await this.#reached(id, info);
    if (at.offset !== offset) throw ERRORS.INVALID_OFFSET;
    const end = await this.#take(stream, id, info, at);
    if (end.offset === info.size) {
      await this.#finish(id, info);
      this.counts.whole += 1;
    }
    return end.offset;
  }

  override async remove(id: string): Promise<void> {
    if ((await this.#info(id)) === undefined) throw ERRORS.FILE_NOT_FOUND;
    await this.#remove(id);
    this.counts.removed += 1;
    await this.#options.removed(id);
  }

  override async deleteExpired(): Promise<number> {
    const { storage, expire, log } = this.#options;
    let count = 0;
    for await (const id of storage.folders(UPLOADS)) {
      if (!ID.test(id)) continue;
      try {
        const info = readUploadInfo(await getJson(storage, infoKey(id)));
        // Without its beginning nobody can go on with it: its removal was cut short.
        const isOld = info === undefined || Date.now() - Date.parse(info.created) > expire;
        if (!isOld || (await storage.head(manifestKey(id))) !== undefined) continue;
        await this.#remove(id);
        count += 1;
      } catch (error) {
        log.warn({ upload: id, error: asEdgeError(error) }, 'an expired upload could not be removed');
      }
    }
    return count;
  }

  override getExpiration(): number {
    return this.#options.expire;
  }

  /** Stores what a request brings. @returns what is reached with it */
  async #take(stream: Readable, id: string, info: UploadInfo, at: Reached): Promise<Reached> {
    const body = RequestBody.current;
    const failed = new AbortController();
    const writer = new PieceWriter({
      pieces: this.#pieces(id, info),
      at,
      size: info.size,
      stored: (reached, bytes) => {
        this.counts.bytes += bytes;
        this.#ends.set(id, reached, ENTRY_SIZE);
      },
      failed: () => failed.abort(),
    });
    const stop = AbortSignal.any([failed.signal, ...(body === undefined ? [] : [body.stop])]);
    try {
      await pour(body?.stream ?? stream, stop, bytes => writer.add(bytes));
    } finally {
      await writer.settled();
    }
    return await writer.end();
  }

  async #remove(id: string): Promise<void> {
    this.#infos.delete(id);
    this.#ends.delete(id);
    await removeUpload(this.#options.storage, id);
  }

  async #finish(id: string, info: UploadInfo): Promise<void> {
    const { storage, finished } = this.#options;
    // Everybody writes the same.
    if ((await storage.head(manifestKey(id))) === undefined) await putJson(storage, manifestKey(id), { id, ...info });
    await finished(id);
  }

  async #info(id: string): Promise<UploadInfo | undefined> {
    if (!ID.test(id)) return undefined;
    const known = this.#infos.get(id);
    if (known !== undefined) return known;
    const found = readUploadInfo(await getJson(this.#options.storage, infoKey(id)));
    if (found !== undefined) this.#remember(id, found);
    return found;
  }

  /** How far an upload has come, looked up from where it is known to be. */
  async #reached(id: string, info: UploadInfo): Promise<Reached> {
    const reached = await this.#pieces(id, info).end(this.#ends.get(id));
    this.#ends.set(id, reached, ENTRY_SIZE);
    return reached;
  }

  #remember(id: string, info: UploadInfo): void {
    this.#infos.set(id, info, ENTRY_SIZE + 2 * JSON.stringify(info).length);
  }

  #pieces(id: string, { size }: UploadInfo): UploadPieces {
    return new UploadPieces(this.#options.storage, id, size);
  }

  #describe(id: string, { size, metadata, created }: UploadInfo, offset: number): Upload {
    return new Upload({ id, size, offset, metadata: { ...metadata }, creation_date: created });
  }
}
