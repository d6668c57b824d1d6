import { EdgeError } from '../../base/errors.js';
import type { OriginFetch, OriginRequest, OriginSink } from '../origin.js';
import { type ManagedOrigin, type OriginObserver, type OriginStats, originStats } from '../origin-stats.js';
import { FileFetch } from './file-fetch.js';
import { FileRoot } from './file-path.js';

/** Options of `FileOrigin`. */
export interface FileOriginOptions {
  readonly name: string;
  /** The directory whose files are the objects. */
  readonly directory: string;
  readonly observer?: OriginObserver | undefined;
}

/** The files below a directory. Queries are ignored. */
export class FileOrigin implements ManagedOrigin {
  readonly name: string;
  readonly stats: OriginStats;
  readonly #fetches = new Set<FileFetch>();
  readonly #context: ConstructorParameters<typeof FileFetch>[0];
  #closed = false;

  /** @throws EdgeError `bad_config` when the directory is not there or can't be read */
  constructor({ name, directory, observer }: FileOriginOptions) {
    const fetches = this.#fetches;
    this.name = name;
    this.stats = originStats({
      get active() {
        return fetches.size;
      },
      queued: 0,
      replicas: [],
    });
    this.#context = {
      root: new FileRoot(directory),
      stats: this.stats,
      observer,
      spare: [],
      ended: fetch => fetches.delete(fetch),
    };
  }

  fetch(request: OriginRequest, sink: OriginSink): OriginFetch {
    const fetch = new FileFetch(this.#context, request, sink);
    this.#fetches.add(fetch);
    if (this.#closed) setImmediate(() => fetch.fail(closing()));
    else fetch.start();
    return fetch;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const fetch of [...this.#fetches]) fetch.fail(closing());
  }
}

function closing(): EdgeError {
  return new EdgeError('origin_unavailable', 'the edge is closing its origin');
}
