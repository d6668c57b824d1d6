/** What demonstrations share: programs that are started, watched and ended, free ports, and a folder that goes. */
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds that all programs may take to be ready, and that one may take to end. */
const PATIENCE = 60_000;
const GRACE = 10_000;
/** Last lines of a program that has failed. */
const LAST_WORDS = 5;

/** A program that the demonstration runs, in a process group of its own: `kill -9 -- -PID` ends all of it. */
export class Program {
  #child;
  #said = '';

  constructor(name, command, args) {
    this.name = name;
    this.command = command;
    this.args = args;
  }

  get pid() {
    return this.#child.pid;
  }

  get isAlive() {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
  }

  get lastWords() {
    return this.#said.trimEnd().split('\n').slice(-LAST_WORDS).join('\n');
  }

  start() {
    this.#child = spawn(this.command, this.args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        this.#said = (this.#said + text).slice(-10_000);
      });
    }
    this.#child.on('error', error => {
      this.#said += error.message;
    });
    this.#child.on('exit', (code, signal) => {
      if (!isEnding && isWhole) say(`${this.name} has ended (${signal ?? code}); Enter starts it again`);
    });
  }

  /** To all of its processes. */
  signal(signal) {
    try {
      process.kill(-this.pid, signal);
    } catch {}
  }

  async end() {
    if (this.pid === undefined) return;
    const end = performance.now() + GRACE;
    if (this.isAlive) this.#child.kill('SIGTERM');
    while (this.isAlive && performance.now() < end) await sleep(20);
    this.signal('SIGKILL');
  }
}

/** What has been started, in order. */
export const programs = [];
let isEnding = false;
/** True when everything has come up. */
let isWhole = false;
let folder;

/** Folder of the demonstration, in memory where that can be; it goes at the end. */
export function makeFolder() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(0));
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'moovedge-demo-'));
  return folder;
}

/** From here on programs that end are told of; Enter starts them again. */
export function watchPrograms() {
  isWhole = true;
  createInterface({ input: process.stdin }).on('line', () => {
    for (const program of programs.filter(({ isAlive }) => !isAlive)) {
      // What a killed supervisor has left behind holds its ports.
      program.signal('SIGKILL');
      program.start();
      say(`${program.name} was started again: kill -9 -- -${program.pid}`);
    }
  });
}

export function say(text) {
  process.stdout.write(`${text}\n`);
}

export function run(program) {
  programs.push(program);
  program.start();
}

export async function end(status) {
  if (isEnding) return;
  isEnding = true;
  await Promise.all(programs.map(program => program.end()));
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  process.exit(status);
}

export async function giveUp(text) {
  process.stderr.write(`${text}\n`);
  await end(1);
}

/** Path of a program; Debian has daemons where the PATH of a user may not lead. */
export function programPath(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/sbin'];
  return folders
    .map(each => join(each, name))
    .find(path => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** The first free ports from one on. */
export async function freePorts(from, count) {
  const found = [];
  for (let port = from; found.length < count && port < 65_536; port++) {
    const server = createServer();
    const isFree = await new Promise(resolve => {
      server.once('error', () => resolve(false));
      server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
    });
    if (isFree) found.push(port);
  }
  return found;
}

export async function until(what, check) {
  const limit = performance.now() + PATIENCE;
  while (!isEnding) {
    const result = await check().catch(() => undefined);
    if (result) return result;
    const dead = programs.find(program => !program.isAlive);
    if (dead !== undefined) await giveUp(`expected ${what}, but ${dead.name} has ended:\n${dead.lastWords}`);
    if (performance.now() > limit) {
      const words = programs.map(({ name, lastWords }) => `${name}: ${lastWords}`).join('\n');
      await giveUp(`expected ${what} within ${PATIENCE / 1000} s\n${words}`);
    }
    await sleep(100);
  }
  // Whoever ends this process does so now.
  return new Promise(() => {});
}

/** The answer to a question in JSON; undefined when it is refused. */
export async function ask(url, options) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2000), ...options });
  return answer.ok ? await answer.json() : undefined;
}
