import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { EdgeError, type ErrorCode } from '../base/errors.js';
import { loadSettings } from '../config/load.js';
import { defaultConfig } from '../config/schema.js';

/** Milliseconds without a byte after which an edge counts as silent. */
const TIMEOUT = 60_000;
/** Most bytes of an answer that is no stream. */
const ANSWER_MAX = 64 * 1024 * 1024;

/** Where a running edge's admin port is, as the command line says. */
export interface AdminFlags {
  /** URL of the admin port. */
  readonly admin?: string;
  readonly token?: string;
  /** File that holds the token. */
  readonly tokenFile?: string;
  /** Configuration file of the edge, to read both from. */
  readonly config?: string;
}

/** Talks to the admin port of a running edge. */
export class AdminClient {
  readonly #url: URL;
  readonly #token: string | undefined;

  /**
   * @param env may hold the token as MOOVEDGE_ADMIN_TOKEN
   * @throws EdgeError `usage`, `not_found`; ConfigError
   */
  constructor({ admin, token, tokenFile, config }: AdminFlags, env: Readonly<Record<string, string | undefined>>) {
    const settings =
      config === undefined ? defaultConfig().admin : loadSettings({ file: config, flags: [], env }).admin;
    const { host, port } = settings;
    const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
    const url = admin ?? `http://${name}:${port}`;
    if (!URL.canParse(url) || new URL(url).protocol !== 'http:') {
      throw new EdgeError(
        'usage',
        `--admin: expected a URL such as http://localhost:8081, found ${JSON.stringify(url)}`,
      );
    }
    this.#url = new URL(url);
    this.#token = token ?? readToken(tokenFile) ?? settings.token ?? env.MOOVEDGE_ADMIN_TOKEN;
  }

  /**
   * Asks and reads the answer as JSON.
   * @throws EdgeError when the edge can't be reached or refuses
   */
  async json(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    let text = '';
    for await (const chunk of await this.#send(method, path, body)) {
      text += chunk;
      if (text.length > ANSWER_MAX)
        throw new EdgeError('origin_protocol', 'expected a shorter answer of the admin port');
    }
    return parse(text);
  }

  /**
   * Asks and reads the answer as lines of JSON, as they come.
   * @throws EdgeError when the edge can't be reached, refuses, or ends early
   */
  async *lines(method: 'POST', path: string, body: object): AsyncGenerator<unknown> {
    let rest = '';
    for await (const chunk of await this.#send(method, path, body)) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines.map(parse);
    }
  }

  #send(method: string, path: string, body: object | undefined): Promise<IncomingMessage> {
    const url = new URL(path, this.#url);
    const headers: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' };
    if (this.#token !== undefined) headers.Authorization = `Bearer ${this.#token}`;
    return new Promise((resolve, reject) => {
      const request = httpRequest(url, { method, headers, timeout: TIMEOUT });
      request.on('timeout', () => request.destroy(new Error(`silent for ${TIMEOUT / 1000} s`)));
      request.on('error', error => {
        const reason = (error as NodeJS.ErrnoException).code ?? error.message;
        reject(
          new EdgeError(
            'origin_unavailable',
            `no edge answers at ${this.#url.origin} (${reason}): is it running? Use --admin or --config to say where`,
          ),
        );
      });
      request.on('response', response => {
        response.setEncoding('utf8');
        if (response.statusCode === 200) resolve(response);
        else void refusal(response).then(reject);
      });
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

/** @throws EdgeError `not_found`, `usage` when the file holds no token */
function readToken(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file, 'latin1').trim();
  } catch (error) {
    throw new EdgeError('not_found', `--token-file: ${file} can't be read: ${(error as Error).message}`);
  }
  if (!/^[\x21-\x7e]{1,1024}$/.test(text)) {
    throw new EdgeError('usage', `--token-file: expected ${file} to hold a token and nothing else`);
  }
  return text;
}

async function refusal(response: IncomingMessage): Promise<EdgeError> {
  let text = '';
  for await (const chunk of response) if (text.length < 2000) text += chunk;
  const hint = response.statusCode === 401 ? '; use --token-file, --config or MOOVEDGE_ADMIN_TOKEN' : '';
  return new EdgeError(
    codeOf(response.statusCode),
    `the edge refused: ${text.trim() || `status ${response.statusCode}`}${hint}`,
  );
}

function codeOf(status: number | undefined): ErrorCode {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 503) return 'overloaded';
  return status !== undefined && status >= 500 ? 'store' : 'bad_request';
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new EdgeError('origin_protocol', 'expected JSON from the admin port: is this an edge?');
  }
}
