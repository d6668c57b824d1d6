import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CLIENT_CORE, LEASH } from './server.js';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('./wrk.lua', import.meta.url));

/**
 * A request: a path, in which `#` stands for a name that no other request has, and the values of its Range and
 * If-None-Match fields if it has any.
 */
export interface Request {
  path: string;
  range?: string;
  ifNoneMatch?: string;
}

/** What wrk has measured. Times in seconds. */
export interface Load {
  requests: number;
  bytes: number;
  seconds: number;
  p50: number;
  p99: number;
  /** Answers with an error status, and connections that failed. */
  failed: number;
}

/** Writes a list of requests for `load`. */
export function writeRequests(file: string, requests: readonly Request[]): string {
  const line = ({ path, range = '', ifNoneMatch = '' }: Request) => `${path}\t${range}\t${ifNoneMatch}\n`;
  writeFileSync(file, requests.map(line).join(''));
  return file;
}

/**
 * Sends requests of a list to a server at random, as fast as it answers, from one thread on the client's core.
 * @param seconds how long
 * @param connections how many are open at once, each with one request at a time
 */
export async function load(
  url: string,
  list: string,
  { seconds, connections, seed = 1 }: { seconds: number; connections: number; seed?: number },
): Promise<Load> {
  const args = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '10s',
    '-s',
    SCRIPT,
    url,
    '--',
    list,
    String(seed),
  ];
  const { stdout } = await run('setpriv', [...LEASH, 'taskset', '-c', String(CLIENT_CORE), 'wrk', ...args]);
  const line = stdout.split('\n').find(text => text.startsWith('{'));
  if (line === undefined) throw new Error(`wrk says nothing of use:\n${stdout}`);
  return JSON.parse(line) as Load;
}
