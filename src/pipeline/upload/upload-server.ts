import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { sendText } from '../../admin/admin-server.js';
import { asEdgeError, EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Config } from '../../config/schema.js';
import { listenFailure } from '../../supervisor/port.js';
import type { JobQueue } from '../jobs/job-queue.js';
import { ID } from '../storage/layout.js';
import type { PieceStore } from './piece-store.js';
import { ProgressStreams, shown } from './progress-stream.js';
import { RequestBody } from './request-body.js';
import { ERRORS, type Locker, TusServer } from './tus.js';
import { answerTus, endingReads } from './tus-request.js';
import { UploadAccess } from './upload-access.js';
import { UploadQuota } from './upload-quota.js';

const ASSETS = new URL('../../../src/pipeline/assets/', import.meta.url);
/** Milliseconds without a byte of a request after which its connection is closed. */
const IDLE_TIMEOUT = 60_000;
/** Most connections: each has at most two pieces in memory. */
const CONNECTIONS_MAX = 2_000;
/** Milliseconds that requests under way may take when the server stops. */
const CLOSE_GRACE = 5_000;

/** What a server of uploads is made from. */
export interface UploadServerOptions {
  readonly settings: Config['upload'];
  readonly prefix: string;
  readonly store: PieceStore;
  readonly locker: Locker;
  readonly queue: JobQueue;
  readonly log: Log;
}

/** The port that uploads come to: tus 1.0 below a path, the state of what was uploaded, and a page to try it. */
export class UploadServer {
  readonly #settings: Config['upload'];
  readonly #access: UploadAccess;
  readonly #quota: UploadQuota | undefined;
  readonly #queue: JobQueue;
  readonly #progress: ProgressStreams;
  readonly #tus: TusServer;
  readonly #server: Server;
  readonly #log: Log;

  constructor({ settings, prefix, store, locker, queue, log }: UploadServerOptions) {
    this.#settings = settings;
    this.#access = new UploadAccess(settings);
    this.#quota = settings.quota === undefined ? undefined : new UploadQuota(queue.redis, prefix, settings.quota);
    this.#queue = queue;
    this.#progress = new ProgressStreams(queue, log);
    this.#log = log;
    const { path, maxSize, origins } = settings;
    this.#tus = new TusServer({
      path: path.slice(0, -1),
      datastore: store,
      locker: endingReads(locker),
      maxSize,
      relativeLocation: true,
      allowedOrigins: origin => origins.includes('*') || origins.includes(origin),
      namingFunction: () => randomBytes(16).toString('hex'),
      onUploadCreate: async (_, upload) => {
        const owner = this.#access.ownerOf(RequestBody.current!.stream) ?? '';
        await this.#quota?.take(owner, upload.size ?? 0);
        return { metadata: { ...upload.metadata, owner } };
      },
      onResponseError: (request, error) => this.#explain(request.url, error),
    });
    this.#server = createServer(
      { requestTimeout: 0, headersTimeout: 30_000, keepAliveTimeout: 10_000 },
      (request, response) => void this.#take(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.timeout = IDLE_TIMEOUT;
  }

  /** Starts to listen. @throws EdgeError `port` in words for people */
  async listen(): Promise<void> {
    const { host, port } = this.#settings;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', error => reject(new EdgeError('port', `upload: ${listenFailure(host, port, error)}`)));
      this.#server.listen({ host, port }, resolve);
    });
    this.#server.on('error', error => this.#log.error({ error }, 'the port of uploads failed'));
  }

  /** Stops listening; requests under way may end, and are cut after a while: their clients go on elsewhere. */
  close(): Promise<void> {
    return new Promise(resolve => {
      const cut = setTimeout(() => this.#server.closeAllConnections(), CLOSE_GRACE);
      this.#server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path } = this.#settings;
    const target = (request.url ?? '').split('?')[0]!;
    try {
      const file = request.method === 'GET' ? FILES.get(target) : undefined;
      if (file !== undefined) return await file(response);
      if (target !== path && `${target}/` !== path && !target.startsWith(path))
        return answer(response, 404, 'not found\n');
      // Browsers ask whether they may without saying who they are.
      if (request.method !== 'OPTIONS' && this.#access.ownerOf(request) === undefined) {
        this.#allow(request, response);
        response.setHeader('WWW-Authenticate', 'Bearer realm="moovedge upload"');
        return answer(response, 401, 'expected the field "Authorization: Bearer TOKEN" with a token of uploads\n');
      }
      const [id = '', part] = target.slice(path.length).split('/');
      if (request.method === 'GET' && ID.test(id)) return await this.#tell(id, part, request, response);
      await answerTus(this.#tus, request, response);
    } catch (thrown) {
      const error = asEdgeError(thrown);
      this.#log.error({ error: error.options.cause ?? error, url: target }, 'a request of an uploader failed');
      if (response.headersSent) response.destroy();
      else answer(response, error.status, `${error.message}\n`);
    }
  }

  /** How far the film of an upload has come: once, or as events. */
  async #tell(id: string, part: string | undefined, request: IncomingMessage, response: ServerResponse) {
    this.#allow(request, response);
    if (part === 'progress') return await this.#progress.answer(id, response);
    if (part !== undefined) return answer(response, 404, 'not found\n');
    answer(response, 200, `${JSON.stringify(shown(await this.#queue.status(id)))}\n`, 'application/json');
  }

  #allow({ headers }: IncomingMessage, response: ServerResponse): void {
    const { origins } = this.#settings;
    const { origin } = headers;
    if (origin === undefined || (!origins.includes('*') && !origins.includes(origin))) return;
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Vary', 'Origin');
  }

  #explain(url: string, error: Error | { status_code: number; body: string }) {
    if (error === ERRORS.ERR_LOCK_TIMEOUT) {
      return { status_code: 423, body: 'another request sends this upload, try again\n' };
    }
    if (!(error instanceof Error)) return error;
    const known = asEdgeError(error);
    const id = url.split('/').at(-1);
    if (known.status >= 500) this.#log.error({ upload: id, error: known.options.cause ?? known }, 'an upload failed');
    return { status_code: known.code === 'origin_unavailable' ? 503 : known.status, body: `${known.message}\n` };
  }
}

/** Ends a response of our own; those of tus have fields of theirs. */
function answer(response: ServerResponse, status: number, text: string, type?: string): void {
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  sendText(response, status, text, type);
}

/** What the page that tries uploads is made of, by path. Players and clients are there when their packages are. */
const FILES = new Map<string, (response: ServerResponse) => Promise<void>>([
  ['/', response => sendFile(response, new URL('upload.html', ASSETS), 'text/html')],
  ['/upload.mjs', response => sendFile(response, new URL('upload.mjs', ASSETS), 'text/javascript')],
  ['/tus.js', response => sendLibrary(response, 'tus-js-client', '../../dist/tus.min.js')],
  ['/hls.mjs', response => sendLibrary(response, 'hls.js/dist/hls.min.mjs', './hls.min.mjs')],
]);

async function sendFile(response: ServerResponse, file: URL, type: string): Promise<void> {
  answer(response, 200, await readFile(file, 'utf8'), `${type}; charset=utf-8`);
}

/** @param file of a package that is installed beside this one, seen from what an import of `module` would load */
async function sendLibrary(response: ServerResponse, module: string, file: string): Promise<void> {
  try {
    await sendFile(response, new URL(file, import.meta.resolve(module)), 'text/javascript');
  } catch {
    const [name] = module.split('/');
    answer(response, 404, `${name} is not installed: npm install ${name}\n`);
  }
}
