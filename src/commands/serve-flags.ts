import path from 'node:path';
import { samplesFolder } from '../app/package-files.js';
import type { FlagValue } from '../config/load.js';

/** A flag of `serve` that overrules a setting of the file. */
export interface ServeFlag {
  /** As commander takes it. */
  readonly spec: string;
  readonly path: readonly string[];
  readonly text: string;
  /** True for paths, which are taken from the current folder. */
  readonly isPath?: boolean;
  /** Makes the setting of what is given. */
  readonly value?: (text: string) => unknown;
  /** The setting is one more item of the list at `path`. */
  readonly isMore?: boolean;
}

/** Every flag of `serve` that is a setting. */
export const SERVE_FLAGS: readonly ServeFlag[] = [
  { spec: '--host <address>', path: ['listen', 'host'], text: 'address that players connect to (0.0.0.0)' },
  { spec: '--port <port>', path: ['listen', 'port'], text: 'port that players connect to (8080)' },
  {
    spec: '--compat-port <port>',
    path: ['listen'],
    text: 'one more port, for clients of old and new kinds: engine node (none)',
    value: port => ({ port, engine: 'node' }),
    isMore: true,
  },
  {
    spec: '--trusted <cidr>',
    path: ['trusted'],
    text: 'proxies that say who clients are, by commas (127.0.0.1/32)',
    value: text => text.split(','),
  },
  { spec: '--admin-host <address>', path: ['admin', 'host'], text: 'address of the admin port (127.0.0.1)' },
  {
    spec: '--admin-port <port>',
    path: ['admin', 'port'],
    text: 'port for health, metrics, purge and the dashboard (8081)',
  },
  { spec: '--workers <n>', path: ['workers'], text: 'worker processes (one per core)' },
  {
    spec: '--memory <size>',
    path: ['cache', 'memory', 'size'],
    text: 'memory tier, such as 1GiB (a quarter of the memory)',
  },
  {
    spec: '--memory-file <file>',
    path: ['cache', 'memory', 'file'],
    text: 'file of the memory tier (/dev/shm/moovedge-PORT.cache)',
    isPath: true,
  },
  { spec: '--disk <dir>', path: ['cache', 'disk', 'path'], text: 'directory of the disk tier (none)', isPath: true },
  { spec: '--disk-size <size>', path: ['cache', 'disk', 'size'], text: 'most bytes on disk (10GiB)' },
  {
    spec: '--rtmp <port>',
    path: ['live', 'rtmp', 'port'],
    text: 'port that publishers of live streams connect to (none)',
  },
  { spec: '--access-log <file>', path: ['log', 'access'], text: 'stdout or a file; off by default', isPath: true },
  { spec: '--log-level <level>', path: ['log', 'level'], text: 'debug, info, warn or error (info)' },
];

/** Words that stand where a path may stand. */
const WORDS = new Set(['auto', 'off', 'stdout']);

/**
 * What the command line says of settings.
 * @param options as commander gives them, by camel-case name
 */
export function flagValues(origin: string | undefined, options: Readonly<Record<string, unknown>>): FlagValue[] {
  const given = SERVE_FLAGS.flatMap(({ spec, path: at, isPath, value: make, isMore = false }): FlagValue[] => {
    const flag = spec.split(' ')[0]!;
    const value = options[flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (typeof value !== 'string') return [];
    if (make !== undefined) return [{ flag, path: at, value: make(value), isMore }];
    return [{ flag, path: at, value: isPath === true && !WORDS.has(value) ? path.resolve(value) : value }];
  });
  if (origin === undefined) return given;
  const url = /^[a-z0-9+.-]+:\/\//i.test(origin) ? origin : path.resolve(origin);
  return [...given, { flag: 'ORIGIN', path: ['origins'], value: [{ name: 'main', url }] }];
}

/** The origin when neither the command line nor the file names one: the bundled clips. */
export function samplesOrigin(): FlagValue {
  return { flag: 'ORIGIN', path: ['origins'], value: [{ name: 'samples', url: samplesFolder() }] };
}
