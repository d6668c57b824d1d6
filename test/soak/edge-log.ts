import { appendFileSync } from 'node:fs';
import type { Edge } from '../support/edge.js';
import { count, type Tally } from './tally.js';

/** Milliseconds between looks. */
const LOOK = 100;
/** Signals by which the kernel ends a process that touches a damaged page of a store; see src/store/examination.ts. */
const DAMAGE_SIGNALS = new Set(['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGFPE', 'SIGILL']);

interface Line {
  readonly level: string;
  readonly text: string;
  readonly workerPid?: number;
  readonly how?: string;
  readonly signal?: string | null;
  readonly error?: { readonly stack?: string };
}

/** Reads what the edge logs, and judges the deaths that it tells of. */
export class EdgeLog {
  /** Whether a fault has damaged the trees of a store, whereupon processes may be ended by what they read. */
  treesAreDamaged = false;
  readonly #edge: Edge;
  readonly #tally: Tally;
  readonly #file: string | undefined;
  readonly #expected = new Set<number>();
  readonly #timer: NodeJS.Timeout;
  #rest = '';
  /** Killings of the disk tier's writer that the log is still to tell of; it does not say whom. */
  #writersKilled = 0;
  #waiting: { readonly matches: (text: string) => boolean; readonly found: () => void }[] = [];

  /** @param file where all lines are appended */
  constructor(edge: Edge, tally: Tally, file: string | undefined) {
    this.#edge = edge;
    this.#tally = tally;
    this.#file = file;
    this.#timer = setInterval(() => this.look(), LOOK);
  }

  /** Processes that are about to be killed. */
  expectDeaths(pids: readonly number[]): void {
    for (const pid of pids) this.#expected.add(pid);
    this.#writersKilled++;
  }

  /** Resolves at the next line whose text matches; counts a violation when none comes within `timeout` milliseconds. */
  next(matches: (text: string) => boolean, timeout: number): Promise<void> {
    this.look();
    return new Promise(resolve => {
      const timer = setTimeout(() => {
        this.#tally.violation(`the edge did not tell what it was asked for within ${timeout} ms`);
        found();
      }, timeout);
      const found = () => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter(each => each.found !== found);
        resolve();
      };
      this.#waiting.push({ matches, found });
    });
  }

  /** Reads what has come. */
  look(): void {
    const text = this.#rest + this.#edge.log;
    this.#edge.log = '';
    const lines = text.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') this.#take(line);
  }

  close(): void {
    clearInterval(this.#timer);
    this.look();
  }

  #take(json: string): void {
    if (this.#file !== undefined) appendFileSync(this.#file, `${json}\n`);
    let line: Line;
    try {
      line = JSON.parse(json) as Line;
    } catch {
      count(this.#tally.complaints, `not JSON: ${json.slice(0, 100)}`);
      return;
    }
    const { level, text } = line;
    if (level === 'warn' || level === 'error') count(this.#tally.complaints, text);
    if (text === 'a worker died and is replaced') this.#died(line.workerPid ?? 0, line.how ?? '', json);
    else if (text.startsWith('the writer of the disk tier has died')) this.#writerDied(line.signal ?? '', json);
    else if (text.startsWith('a defect') || text === 'a worker hangs and is killed') this.#tally.violation(json);
    for (const { matches, found } of this.#waiting) if (matches(text)) found();
  }

  #died(pid: number, how: string, json: string): void {
    if (this.#expected.has(pid)) return;
    this.#crashed(how, json);
  }

  #writerDied(signal: string, json: string): void {
    if (signal === 'SIGKILL' && this.#writersKilled > 0) this.#writersKilled--;
    else this.#crashed(signal, json);
  }

  #crashed(how: string, json: string): void {
    if (this.treesAreDamaged && DAMAGE_SIGNALS.has(how)) {
      this.#tally.endedByDamage++;
      return;
    }
    this.#tally.crashes++;
    this.#tally.violation(`a process died by itself: ${json}`);
  }
}
