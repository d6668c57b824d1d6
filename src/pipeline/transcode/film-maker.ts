import { randomUUID } from 'node:crypto';
import { mkdir, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError } from '../../base/errors.js';
import type { Config } from '../../config/schema.js';
import type { PublishedFilm, TranscodeProgress } from '../jobs/job.js';
import { attemptPrefix, filmPrefix, manifestKey, winnerKey } from '../storage/layout.js';
import { getJson, type ObjectStorage, putJson, removeAll } from '../storage/object-storage.js';
import { removeUpload } from '../storage/remove-upload.js';
import { readUploadInfo, type UploadInfo } from '../upload/upload-info.js';
import { UploadPieces } from '../upload/upload-pieces.js';
import { encode, encodeArguments, renditionFile } from './encode.js';
import { ladder, type Rendition } from './ladder.js';
import { checkOutputs } from './output-check.js';
import { makePreviews, type Previews } from './previews.js';
import { RefusedSource } from './refused-source.js';
import { type SourceFacts, sourceFacts } from './source-facts.js';

/** Where each step begins, of the whole from 0 to 1. */
const STEPS = { fetch: 0, probe: 0.08, encode: 0.1, check: 0.88, previews: 0.92, store: 0.95 } as const;

/** What a maker of films is told to do beside its upload. */
export interface MakeOptions {
  readonly signal: AbortSignal;
  progress(progress: TranscodeProgress): void;
  /** Called right before the film is published. @throws when it is not to be published any more */
  mayPublish(): Promise<void>;
}

/** Makes films of uploads: fetches, looks, encodes, checks, stores, publishes. */
export class FilmMaker {
  readonly #storage: ObjectStorage;
  readonly #settings: Config['transcode'];
  readonly #scratch: string;

  /** @param scratch a folder of its own, for sources and outputs while films are being made */
  constructor(storage: ObjectStorage, settings: Config['transcode'], scratch: string) {
    this.#storage = storage;
    this.#settings = settings;
    this.#scratch = scratch;
  }

  /**
   * Makes the film of an upload, unless there is one. What this attempt stored goes again when another was first.
   * @returns the film that counts
   * @throws RefusedSource when no film can be made of it; other errors when another try may do
   */
  async make(id: string, options: MakeOptions): Promise<PublishedFilm> {
    const there = await this.#published(id);
    if (there !== undefined) return await this.#settled(id, there);
    const upload = readUploadInfo(await getJson(this.#storage, manifestKey(id)));
    if (upload === undefined) throw new RefusedSource('expected a whole upload, found none');
    const attempt = randomUUID();
    const folder = join(this.#scratch, attempt);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    let film: PublishedFilm;
    try {
      film = await this.#attempt(id, attempt, folder, upload, options);
    } catch (error) {
      await this.#sweep(id, attempt);
      throw error;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    // From here on the outputs may be those that count, even when this fails: they stay until it is known which do.
    const isFirst = await putJson(this.#storage, winnerKey(id), film, { ifAbsent: true });
    return await this.#settled(id, isFirst ? film : await this.#published(id));
  }

  async #attempt(id: string, attempt: string, folder: string, upload: UploadInfo, options: MakeOptions) {
    const { signal } = options;
    const step = (name: keyof typeof STEPS, share = 0, until = 0) =>
      options.progress({ step: name, share: STEPS[name] + share * (until - STEPS[name]) });
    step('fetch');
    const source = join(folder, 'source');
    await this.#fetch(id, upload, source, signal, share => step('fetch', share, STEPS.probe));
    step('probe');
    const { memory, timeout, qualities } = this.#settings;
    const facts = await sourceFacts(source, { memory, timeout, signal });
    const renditions = ladder(facts.width, facts.height, qualities);
    step('encode');
    const args = encodeArguments(source, folder, facts, renditions, this.#settings);
    await encode(args, facts, renditions, this.#settings, signal, share => step('encode', share, STEPS.check));
    step('check');
    const files = renditions.map(rendition => renditionFile(folder, rendition));
    await checkOutputs(files, facts, this.#settings, signal);
    step('previews');
    const previews = await makePreviews(files.at(-1)!, folder, facts, this.#settings, signal);
    step('store');
    await this.#store(attemptPrefix(id, attempt), folder, renditions, previews, signal);
    await options.mayPublish();
    return published(id, attempt, facts, renditions, previews);
  }

  /** Puts the pieces of an upload together, each proved by its digest. */
  async #fetch(id: string, upload: UploadInfo, path: string, signal: AbortSignal, progress: (share: number) => void) {
    const { bavail, bsize } = await statfs(this.#scratch);
    if (bavail * bsize < 2 * upload.size) {
      throw new EdgeError('system', `expected room for ${2 * upload.size} bytes in transcode.scratch, found less`);
    }
    const pieces = new UploadPieces(this.#storage, id, upload.size);
    const file = await open(path, 'wx');
    try {
      for await (const { offset, bytes } of pieces.bytes()) {
        signal.throwIfAborted();
        await file.write(bytes, 0, bytes.length, offset);
        progress(offset / upload.size);
      }
    } finally {
      await file.close();
    }
  }

  async #store(
    prefix: string,
    folder: string,
    renditions: readonly Rendition[],
    { poster, thumbnails, sheets }: Previews,
    signal: AbortSignal,
  ): Promise<void> {
    for (const rendition of renditions) {
      const file = renditionFile(folder, rendition);
      await this.#storage.putFile(prefix + file.split('/').at(-1), file, 'video/mp4', signal);
    }
    for (const name of [poster, ...sheets]) {
      await this.#storage.putFile(prefix + name, join(folder, name), 'image/jpeg', signal);
    }
    await this.#storage.putFile(prefix + thumbnails, join(folder, thumbnails), 'text/vtt', signal);
  }

  async #published(id: string): Promise<PublishedFilm | undefined> {
    const film = (await getJson(this.#storage, winnerKey(id))) as PublishedFilm | undefined;
    return typeof film?.attempt === 'string' ? film : undefined;
  }

  /** Removes what a published film leaves behind: other attempts, and the upload. */
  async #settled(id: string, film: PublishedFilm | undefined): Promise<PublishedFilm> {
    if (film === undefined)
      throw new EdgeError('origin_unavailable', 'storage: a film is published and not to be seen');
    for await (const folder of this.#storage.folders(filmPrefix(id))) {
      if (folder !== film.attempt) await this.#sweep(id, folder);
    }
    await removeUpload(this.#storage, id);
    return film;
  }

  async #sweep(id: string, attempt: string): Promise<void> {
    await removeAll(this.#storage, attemptPrefix(id, attempt)).catch(() => {
      // Swept when the film is published, or by the next attempt.
    });
  }
}

function published(
  id: string,
  attempt: string,
  facts: SourceFacts,
  renditions: readonly Rendition[],
  { poster, thumbnails }: Previews,
): PublishedFilm {
  const qualities = renditions.map(({ quality }) => quality);
  const base = `${id}/${attempt}/`;
  return {
    id,
    attempt,
    qualities,
    hls: `${base}film_,${qualities.join(',')},.mp4.urlset/hls.m3u8`,
    poster: base + poster,
    thumbnails: base + thumbnails,
    duration: Math.round(facts.duration * 1000) / 1000,
    frameRate: Math.round((facts.rate[0] / facts.rate[1]) * 1000) / 1000,
    remarks: facts.remarks,
  };
}
