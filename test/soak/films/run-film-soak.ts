import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../../src/base/log.js';
import { type Config, defaultConfig } from '../../../src/config/schema.js';
import { JobQueue } from '../../../src/pipeline/jobs/job-queue.js';
import { DirectoryStorage } from '../../../src/pipeline/storage/directory-storage.js';
import { winnerKey } from '../../../src/pipeline/storage/layout.js';
import { getJson } from '../../../src/pipeline/storage/object-storage.js';
import { Scratch } from '../../../src/pipeline/transcode/scratch.js';
import { aac, clip, h264, picture, tone } from '../../support/clips.js';
import { commandLine } from '../../support/processes.js';
import { RedisServer } from '../../support/redis.js';
import { storeUpload } from '../../support/stored-upload.js';
import { until } from '../../support/until.js';

const SCRIPT = fileURLToPath(new URL('worker-process.mjs', import.meta.url));
const WORKERS = 3;
/** Seconds in which somebody dies or a film is done: less than twice the longest back-off of a job. */
const PATIENCE = 300;

/** Most milliseconds after which another worker has a film whose worker died. */
export const REQUEUE_MAX = 30_000;

/** Who dies at a step: the worker, the ffmpeg or ffprobe that works there, or Redis. */
export interface FilmDeath {
  readonly step: string;
  readonly victim: 'worker' | 'tool' | 'redis';
}

const around = (step: string) => [`before ${step}`, `after ${step}`];
const TOOLS = ['probe', 'count', 'encode', 'check film_180.mp4', 'check film_120.mp4', 'poster', 'timeline'];
const OUTPUTS = ['film_180.mp4', 'film_120.mp4', 'poster.jpg', 'timeline_1.jpg', 'timeline.vtt'];
const STEPS = [
  'begin',
  ...around('get piece'),
  ...['fetch', 'probe', 'encode', 'check', 'previews', 'store'].flatMap(step => around(`progress ${step}`)),
  ...OUTPUTS.flatMap(name => around(`putFile ${name}`)),
  ...around('the last look'),
  ...around('put winner.json'),
  ...['manifest.json', 'info.json', 'piece'].flatMap(name => around(`remove ${name}`)),
  'end',
];

/** Every step at which a film can be broken off, with all who can die there. */
export const FILM_DEATHS: readonly FilmDeath[] = [
  ...TOOLS.flatMap(step => (['worker', 'tool', 'redis'] as const).map(victim => ({ step, victim }))),
  ...STEPS.flatMap(step => (['worker', 'redis'] as const).map(victim => ({ step, victim }))),
];

/** How a run goes. */
export interface FilmSoakOptions {
  readonly deaths: readonly FilmDeath[];
  /** Milliseconds of a job's lock. */
  readonly lock: number;
  readonly say: (text: string) => void;
}

/** What a run has found. */
export interface FilmTally {
  films: number;
  readonly deaths: Map<FilmDeath['victim'], number>;
  /** Most milliseconds between the death of a worker and its film's being anybody's again, and their mean. */
  requeued: number;
  requeuedMean: number;
  /** Milliseconds of attempts that came to nothing: all, and most of one. */
  wasted: number;
  wastedMost: number;
  readonly violations: string[];
}

/** Films are made by three workers while somebody dies at each step; all films are to be there, once. */
export async function runFilmSoak({ deaths, lock, say }: FilmSoakOptions): Promise<FilmTally> {
  const root = mkdtempSync('/dev/shm/moovedge-films-');
  const redis = await RedisServer.start();
  const defaults = defaultConfig();
  const config: Config = {
    ...defaults,
    jobs: { ...defaults.jobs, redis: redis.url, lock, attempts: 100 },
    transcode: { ...defaults.transcode, qualities: [180, 120], preset: 'ultrafast' },
  };
  const queue = new JobQueue(config, silentLog);
  const storage = new DirectoryStorage(join(root, 'storage'));
  const source = readFileSync(
    await clip('upload.mp4', [...picture(1, '25', '320x180'), ...tone(1), ...h264(25), ...aac]),
  );
  const ids = deaths.map(() => randomBytes(16).toString('hex'));
  const crew = new Crew({ root, config, redis, queue, deaths: [...deaths] });
  try {
    for (const id of ids) {
      await storeUpload(storage, id, source);
      await queue.add(id);
    }
    const told = setInterval(() => say(`${crew.fired} of ${deaths.length} deaths`), 10_000);
    await crew.begin();
    for (let done = 0; done < ids.length; ) {
      const before = crew.fired + done;
      const goesOn = async () => {
        const counts = await queue.counts().catch(() => undefined);
        done = counts === undefined ? done : counts.done + counts.failed;
        return crew.fired + done > before;
      };
      await until(`a death or a film after ${crew.fired} deaths and ${done} films`, goesOn, PATIENCE);
    }
    clearInterval(told);
    await crew.close();
    for (const id of ids) crew.violations.push(...(await wrongWith(id, root, storage, queue)));
    crew.violations.push(...(await leftIn(root)));
    return { ...crew.tally(), films: ids.length };
  } finally {
    await crew.kill();
    await queue.close();
    await redis.end();
    rmSync(root, { recursive: true, force: true });
  }
}

interface CrewOptions {
  readonly root: string;
  readonly config: Config;
  readonly redis: RedisServer;
  readonly queue: JobQueue;
  /** Those that are to come. */
  readonly deaths: FilmDeath[];
}

/** The workers, and who of them dies where. */
class Crew {
  readonly violations: string[] = [];
  readonly #options: CrewOptions;
  readonly #children = new Set<ChildProcess>();
  readonly #fired = new Map<FilmDeath['victim'], number>();
  /** Called when work on a film begins whose worker died. */
  readonly #missed = new Map<string, () => void>();
  readonly #requeued: number[] = [];
  readonly #wasted: number[] = [];
  readonly #expecting: Promise<void>[] = [];
  #redisDeaths = Promise.resolve();
  #isEnding = false;

  constructor(options: CrewOptions) {
    this.#options = options;
  }

  get fired(): number {
    return [...this.#fired.values()].reduce((sum, count) => sum + count, 0);
  }

  async begin(): Promise<void> {
    await Promise.all(Array.from({ length: WORKERS }, () => this.#start()));
  }

  tally(): Omit<FilmTally, 'films'> {
    const sum = (times: readonly number[]) => times.reduce((total, time) => total + time, 0);
    return {
      deaths: this.#fired,
      requeued: Math.max(0, ...this.#requeued),
      requeuedMean: sum(this.#requeued) / Math.max(1, this.#requeued.length),
      wasted: sum(this.#wasted),
      wastedMost: Math.max(0, ...this.#wasted),
      violations: this.violations,
    };
  }

  /** Has all workers end as they do when they are told. */
  async close(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(
      [...this.#children].map(async child => {
        const exited = once(child, 'exit');
        child.send('close');
        await exited;
      }),
    );
    await this.#redisDeaths;
    await Promise.all(this.#expecting);
  }

  async kill(): Promise<void> {
    this.#isEnding = true;
    for (const child of this.#children) child.kill('SIGKILL');
    await until('all workers to end', () => this.#children.size === 0);
  }

  async #start(): Promise<void> {
    const child = fork(SCRIPT, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#children.add(child);
    let death = this.#options.deaths.shift();
    child.on('message', (message: 'ready' | { begun?: string; fired?: FilmDeath }) => {
      if (message === 'ready') return;
      if (message.begun !== undefined) this.#missed.get(message.begun)?.();
      if (message.fired === undefined) return;
      this.#count(message.fired, child.pid!);
      death = this.#options.deaths.shift();
      child.send({ death });
    });
    child.once('exit', () => {
      this.#children.delete(child);
      if (this.#isEnding) return;
      if (death?.victim === 'worker') this.#count(death, child.pid!);
      else this.violations.push(`a worker died by itself, armed with ${JSON.stringify(death)}`);
      void this.#start();
    });
    child.send({ root: this.#options.root, config: this.#options.config, death });
    await once(child, 'message');
  }

  /** Notes how long it takes until somebody else may have a film. */
  async #expect(id: string): Promise<void> {
    const since = performance.now();
    let isBegun = false;
    this.#missed.set(id, () => {
      isBegun = true;
    });
    const isFree = async () => isBegun || (await this.#options.queue.status(id))?.state === 'waiting';
    await until('a film to be queued again', () => isFree().catch(() => false));
    this.#requeued.push(performance.now() - since);
  }

  #count({ victim }: FilmDeath, pid: number): void {
    this.#fired.set(victim, (this.#fired.get(victim) ?? 0) + 1);
    if (victim === 'redis') {
      this.#redisDeaths = this.#redisDeaths.then(async () => {
        await this.#options.redis.kill();
        await this.#options.redis.resume();
      });
      return;
    }
    const { id, begun } = JSON.parse(readFileSync(join(this.#options.root, `worker-${pid}`), 'utf8')) as Broken;
    this.#wasted.push(Date.now() - begun);
    if (victim === 'worker') this.#expecting.push(this.#expect(id));
  }
}

/** What a worker notes of the film that it is at. */
interface Broken {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly begun: number;
}

async function wrongWith(id: string, root: string, storage: DirectoryStorage, queue: JobQueue): Promise<string[]> {
  const status = await queue.status(id);
  const winner = (await getJson(storage, winnerKey(id))) as { attempt?: string } | undefined;
  if (status?.state !== 'done' || winner?.attempt === undefined) return [`${id}: ${status?.state}, ${status?.reason}`];
  const folder = join(root, 'storage/films', id);
  const [attempts, outputs] = [readdirSync(folder), readdirSync(join(folder, winner.attempt))];
  const published = readFileSync(join(root, 'published'), 'utf8').split(id).length - 1;
  return [
    ...(attempts.length === 2 ? [] : [`${id}: ${attempts} are there`]),
    ...(outputs.sort().join() === [...OUTPUTS].sort().join() ? [] : [`${id}: ${outputs} were made`]),
    ...(published === 1 ? [] : [`${id}: published ${published} times`]),
    ...(status.film?.attempt === winner.attempt ? [] : [`${id}: its job tells another film`]),
  ];
}

/** What is there beside the films, when another worker has begun, which sweeps. */
async function leftIn(root: string): Promise<string[]> {
  const scratch = join(root, 'scratch');
  await (await Scratch.open(scratch)).close();
  await new DirectoryStorage(join(root, 'storage')).sweep(0);
  const names = (folder: string) => {
    try {
      return readdirSync(folder).map(name => join(folder, name));
    } catch {
      return [];
    }
  };
  const folders = names(scratch).filter(name => !name.endsWith('.alive'));
  const files = [...names(join(root, 'storage/uploads')), ...names(join(root, 'storage/.unfinished'))];
  const tools = readdirSync('/proc').filter(name => /^\d+$/.test(name) && commandLine(Number(name)).includes(scratch));
  return [...folders, ...files, ...tools.map(pid => commandLine(Number(pid)))].map(what => `left behind: ${what}`);
}

/** What a run has found, for people. */
export function filmReport({
  films,
  deaths,
  requeued,
  requeuedMean,
  wasted,
  wastedMost,
  violations,
}: FilmTally): string {
  const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(1);
  return [
    `${films} films, ${[...deaths].map(([victim, count]) => `${count} deaths of ${victim}`).join(', ')}`,
    `queued again after ${seconds(requeuedMean)} s, ${seconds(requeued)} s at most`,
    `${seconds(wasted)} s of work were in vain, ${seconds(wastedMost)} s at most of one attempt`,
    ...violations.slice(0, 20),
    `${violations.length} violations`,
  ].join('\n');
}
