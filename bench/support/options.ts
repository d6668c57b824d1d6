import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/**
 * What `--peers` takes: first words of names in tables; `bare` is the least that a server with the edge's HTTP library
 * can be.
 */
export const PEERS: readonly string[] = ['nginx', 'varnish', 'trafficserver', 'bare'];

/** What every benchmark may be told. */
export interface BenchOptions {
  /** Which of `PEERS` to compare with. */
  peers: readonly string[];
  /** Times that each measurement is made, taking turns between the servers. */
  rounds: number;
  /** Seconds of each measurement. */
  seconds: number;
  /** Least seconds for which each server works before, so that V8 has compiled what it will. */
  warm: number;
  /** Folder of another build of the edge, which is measured beside this one. */
  against: string | undefined;
  /** What else was given, by name. */
  rest: Record<string, string>;
}

/**
 * Reads `--peers a,b|none --rounds N --seconds N --warm N --against FOLDER` and the options that a benchmark has of its
 * own.
 * @param own names of the benchmark's own options, with their defaults
 */
export function benchOptions(args: readonly string[], own: Record<string, string> = {}): BenchOptions {
  const string = { type: 'string' } as const;
  const names = ['peers', 'rounds', 'seconds', 'warm', 'against', ...Object.keys(own)];
  const { values } = parseArgs({
    args: [...args],
    options: Object.fromEntries(names.map(name => [name, string])),
    // Benchmarks that run one after the other are given each other's options.
    strict: false,
  });
  const rest = Object.fromEntries(Object.entries(own).map(([name, value]) => [name, String(values[name] ?? value)]));
  return {
    peers: peersOf(values.peers),
    rounds: positive(values.rounds, 3),
    seconds: positive(values.seconds, 3),
    warm: positive(values.warm, 1),
    against: values.against === undefined ? undefined : resolve(String(values.against)),
    rest,
  };
}

function peersOf(value: unknown): readonly string[] {
  if (value === undefined) return PEERS;
  if (value === 'none') return [];
  const names = String(value).split(',');
  const unknown = names.find(name => !PEERS.includes(name));
  if (unknown !== undefined)
    throw new Error(`--peers: expected some of ${PEERS.join(',')}, or none, found '${unknown}'`);
  return names;
}

function positive(value: unknown, otherwise: number): number {
  const number = Number(value ?? otherwise);
  if (!(number >= 1)) throw new Error(`expected a number of at least 1, found '${value}'`);
  return number;
}
