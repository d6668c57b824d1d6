import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultConfig } from '../../../src/config/schema.js';
import { DirectoryStorage } from '../../../src/pipeline/storage/directory-storage.js';
import { manifestKey } from '../../../src/pipeline/storage/layout.js';
import { removeUpload } from '../../../src/pipeline/storage/remove-upload.js';
import { UploadPieces } from '../../../src/pipeline/upload/upload-pieces.js';
import { freePorts } from '../../support/ports.js';
import { until } from '../../support/until.js';
import { Random } from '../random.js';

const SCRIPT = fileURLToPath(new URL('server-process.mjs', import.meta.url));
const SERVERS = 3;
const CLIENTS = 6;
const MIB = 1024 * 1024;
/** Most bytes that a client may have to send again that a server had taken before it died. */
export const SENT_AGAIN_MAX = MIB;
/** Bytes of a request's head at most, which connections bring besides its body. */
const HEAD_MAX = 1024;

const STEPS = ['info.json', 'piece', 'flush', 'length', 'manifest.json', 'job'] as const;

/** Where a server dies: before, during or after a step, at its `nth` time. */
export interface Death {
  readonly step: (typeof STEPS)[number];
  readonly when: 'before' | 'during' | 'after';
}

/** Every step at which a server of uploads can die. */
export const DEATHS: readonly Death[] = STEPS.flatMap(step =>
  (['before', 'during', 'after'] as const)
    .filter(when => step !== 'job' || when !== 'during')
    .map(when => ({ step, when })),
);

/** How a run goes. */
export interface UploadSoakOptions {
  /** Deaths of servers after which it ends. */
  readonly kills: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly say: (text: string) => void;
}

/** What a run has found. */
export interface UploadTally {
  kills: number;
  uploads: number;
  bytes: number;
  /** Uploads whose stored bytes are not those that were sent, or that have no job. */
  wrong: number;
  /** Answers that told less than an earlier one. */
  fallen: number;
  /** Most bytes that a server had taken of a client and a later one did not have. */
  sentAgain: number;
  /** Most milliseconds between an upload's last byte and its job. */
  jobLate: number;
  /** Deaths by step. */
  readonly deaths: Map<string, number>;
}

/** Clients upload by three servers, of which each dies at one step after the other, and is started again. */
export async function runUploadSoak({ kills, seed, signal, say }: UploadSoakOptions): Promise<UploadTally> {
  const root = mkdtempSync('/dev/shm/moovedge-uploads-');
  const ports = await freePorts(SERVERS);
  const tally: UploadTally = {
    ...{ kills: 0, uploads: 0, bytes: 0, wrong: 0, fallen: 0, sentAgain: 0, jobLate: 0 },
    deaths: new Map(),
  };
  const random = new Random(seed);
  let next = 0;
  const spares = new Spares();
  const nextDeath = () => DEATHS[next++ % DEATHS.length]!;
  const servers = ports.map(port => new Server({ root, port, nextDeath, spares, random, tally }));
  try {
    await Promise.all(servers.map(server => server.start()));
    const goOn = () => tally.kills < kills && signal?.aborted !== true;
    const client = async () => {
      while (goOn()) await new Client(root, servers, random, tally).upload();
    };
    const told = setInterval(() => say(`${tally.kills} deaths, ${tally.uploads} uploads`), 10_000);
    await Promise.all(Array.from({ length: CLIENTS }, client));
    clearInterval(told);
  } finally {
    await Promise.all(servers.map(server => server.end()));
    await spares.end();
    rmSync(root, { recursive: true, force: true });
  }
  return tally;
}

/** Processes that wait to be servers: what takes time of a start is done while others work. */
class Spares {
  readonly #waiting: ChildProcess[] = [];

  constructor() {
    for (let i = 0; i < SERVERS; i++) this.#begin();
  }

  take(): ChildProcess {
    this.#begin();
    return this.#waiting.shift()!;
  }

  async end(): Promise<void> {
    await Promise.all(this.#waiting.splice(0).map(killed));
  }

  #begin(): void {
    this.#waiting.push(fork(SCRIPT, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }));
  }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

interface ServerOptions {
  readonly root: string;
  readonly port: number;
  nextDeath(): Death;
  readonly spares: Spares;
  readonly random: Random;
  readonly tally: UploadTally;
}

/** One of the servers: a process that another takes the place of when it has died. */
class Server {
  readonly port: number;
  /** How often it has died. */
  deaths = 0;
  readonly #options: ServerOptions;
  #child: ChildProcess | undefined;
  #isEnding = false;

  constructor(options: ServerOptions) {
    this.port = options.port;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { root, port, nextDeath, spares, random, tally } = this.#options;
    const death = nextDeath();
    const nth = death.step === 'piece' ? random.integer(0, 5) : 0;
    const child = spares.take();
    this.#child = child;
    child.on('message', message => {
      if (message === 'now') child.kill('SIGKILL');
    });
    child.once('exit', () => {
      if (this.#isEnding) return;
      this.deaths += 1;
      tally.kills += 1;
      const name = `${death.when} ${death.step}`;
      tally.deaths.set(name, (tally.deaths.get(name) ?? 0) + 1);
      void this.start();
    });
    const settings = { ...defaultConfig().upload, host: '127.0.0.1', port };
    child.send({ root, settings, death: { ...death, nth } });
    await once(child, 'message');
  }

  /** Bytes that it had read from the connection of a port when it died last; undefined when it did not say. */
  readFrom(port: number): number | undefined {
    try {
      return (
        JSON.parse(readFileSync(join(this.#options.root, `read-${this.port}`), 'utf8')) as Record<string, number>
      )[port];
    } catch {
      return undefined;
    }
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    if (this.#child !== undefined) await killed(this.#child);
  }
}

interface Answer {
  /** Undefined when the connection broke. */
  readonly status: number | undefined;
  readonly offset: number | undefined;
  readonly location: string | undefined;
  /** Of the connection. */
  readonly port: number;
}

/** Uploads one file, by whichever server answers. */
class Client {
  readonly #servers: readonly Server[];
  readonly #random: Random;
  readonly #tally: UploadTally;
  readonly #storage: DirectoryStorage;
  readonly #bytes: Buffer;
  #id = '';
  /** The most that a server has told to be stored. */
  #told = 0;

  constructor(root: string, servers: readonly Server[], random: Random, tally: UploadTally) {
    this.#servers = servers;
    this.#random = random;
    this.#tally = tally;
    this.#storage = new DirectoryStorage(join(root, 'storage'));
    this.#bytes = random.bytes(random.integer(1, 4 * MIB));
  }

  async upload(): Promise<void> {
    const size = this.#bytes.length;
    await until('an upload to begin', async () => {
      const { location } = await this.#ask(this.#any(), 'POST', '/files/', { 'Upload-Length': String(size) });
      this.#id = location?.split('/').at(-1) ?? '';
      return this.#id !== '';
    });
    let offset = 0;
    while (offset < size) {
      offset = await this.#offset();
      if (offset === size) break;
      const length = Math.min(size - offset, this.#random.integer(1, 3 * MIB + 1));
      const both = this.#random.chance(1 / 8) ? [this.#any(), this.#any()] : [this.#any()];
      await Promise.all(both.map(server => this.#send(server, offset, length)));
    }
    await this.#check();
  }

  async #check(): Promise<void> {
    const whole = performance.now();
    const hasJob = async () => (await this.#storage.head(`jobs/${this.#id}`)) !== undefined;
    // Whoever looks finishes what a server left that died behind the last byte.
    await until('a job', async () => {
      await this.#offset();
      return await hasJob();
    });
    this.#tally.jobLate = Math.max(this.#tally.jobLate, performance.now() - whole);
    const pieces = new UploadPieces(this.#storage, this.#id, this.#bytes.length);
    const hash = createHash('sha256');
    for await (const { bytes } of pieces.bytes()) hash.update(bytes);
    const isRight = hash.digest().equals(createHash('sha256').update(this.#bytes).digest());
    if (!isRight || (await this.#storage.head(manifestKey(this.#id))) === undefined) this.#tally.wrong += 1;
    this.#tally.uploads += 1;
    this.#tally.bytes += this.#bytes.length;
    await removeUpload(this.#storage, this.#id);
  }

  #any(): Server {
    return this.#random.pick(this.#servers);
  }

  /** How far the upload has come, as any server says. */
  async #offset(): Promise<number> {
    const { offset } = await until('a server that tells the offset', async () => {
      const answer = await this.#ask(this.#any(), 'HEAD', `/files/${this.#id}`);
      return answer.offset === undefined ? undefined : answer;
    });
    this.#hear(offset);
    return offset!;
  }

  #hear(offset: number | undefined): void {
    if (offset === undefined) return;
    if (offset < this.#told) this.#tally.fallen += 1;
    this.#told = Math.max(this.#told, offset);
  }

  async #send(server: Server, offset: number, length: number): Promise<void> {
    const { deaths } = server;
    const body = this.#bytes.subarray(offset, offset + length);
    const head = { 'Upload-Offset': String(offset), 'Content-Type': 'application/offset+octet-stream' };
    const answer = await this.#ask(server, 'PATCH', `/files/${this.#id}`, head, body);
    if (answer.status === 204) return this.#hear(answer.offset);
    // One that could not be reached had died before.
    if (answer.status !== undefined || answer.port === 0) return;
    await until('the death to be noticed', () => server.deaths > deaths, 5).catch(() => {});
    const read = server.readFrom(answer.port);
    if (read === undefined) return;
    const again = offset + Math.min(length, read - HEAD_MAX) - (await this.#offset());
    this.#tally.sentAgain = Math.max(this.#tally.sentAgain, again);
  }

  #ask(server: Server, method: string, path: string, headers: object = {}, body?: Buffer): Promise<Answer> {
    return new Promise(resolve => {
      let port = 0;
      const end = (status?: number, fields: Record<string, string | string[] | undefined> = {}) => {
        const offset = fields['upload-offset'];
        const location = fields.location as string | undefined;
        resolve({ status, offset: offset === undefined ? undefined : Number(offset), location, port });
      };
      const sent = request(
        {
          ...{ host: '127.0.0.1', port: server.port, method, path, agent: false },
          headers: { 'Tus-Resumable': '1.0.0', 'Content-Length': String(body?.length ?? 0), ...headers },
        },
        response => {
          response.resume();
          response.once('end', () => end(response.statusCode, response.headers)).once('error', () => end());
        },
      );
      sent.on('socket', socket => {
        socket.once('connect', () => {
          port = socket.localPort ?? 0;
        });
      });
      sent.on('error', () => end());
      sent.end(body);
    });
  }
}

/** What a run has found, for people. */
export function uploadReport(tally: UploadTally): string {
  const { kills, uploads, bytes, wrong, fallen, sentAgain, jobLate, deaths } = tally;
  const steps = [...deaths].map(([name, count]) => `${name} ${count}`).join(', ');
  return [
    `${kills} deaths of servers (${steps})`,
    `${uploads} uploads of ${Math.round(bytes / MIB)} MiB: ${wrong} with wrong bytes or without a job`,
    `${fallen} offsets fell; at most ${(sentAgain / MIB).toFixed(3)} MiB that a server had taken were sent again`,
    `jobs came ${(jobLate / 1000).toFixed(1)} s after the last byte at the latest`,
  ].join('\n');
}
