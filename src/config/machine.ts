import { closeSync, constants, mkdtempSync, openSync, rmdirSync, type Stats, statfsSync, statSync } from 'node:fs';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { expectOwnFolder } from '../base/own-files.js';
import { memoryFile } from './places.js';
import { type Config, DISK_SIZE } from './schema.js';
import type { Issue, SettingPath } from './setting.js';
import { formatSize, parseSize } from './units.js';

/** Of a filesystem whose files can be mapped, but not written (Linux's magic.h). */
const HUGETLBFS = 0x958458f6;

/** What this machine can't do: more memory or disk than it has, and files in folders that can't be written. */
export function checkMachine(config: Config): Issue[] {
  const places = [...checkFolders(config), ...checkLog(config)];
  return [...places, ...checkMemory(config), ...(places.length > 0 ? [] : checkSpace(config))];
}

function checkFolders({ cache, catalog, live, ...config }: Config): Issue[] {
  const file = memoryFile({ cache, catalog, live, ...config });
  const issues = writable(['cache', 'memory', 'file'], dirname(file), 'a file in a folder that can be written');
  const { snapshot } = cache.memory;
  const folders: [SettingPath, string | undefined][] = [
    [['cache', 'memory', 'snapshot'], snapshot && dirname(snapshot)],
    [['cache', 'disk', 'path'], cache.disk.path],
    [['catalog', 'path'], catalog.path],
    [['live', 'record', 'path'], live.record.path],
  ];
  for (const [path, folder] of folders) {
    if (folder === undefined) continue;
    const expected = 'a folder that can be written';
    if (isHugetlbfs(folder)) issues.push({ path, expected: `expected ${expected}`, hint: `${folder} is on hugetlbfs` });
    else issues.push(...writable(path, folder, expected));
  }
  if (snapshot !== undefined && isHugetlbfs(dirname(file))) {
    const expected =
      'expected a cache.memory.file that can be written again, as on a tmpfs that is mounted with huge=advise';
    issues.push({ path: ['cache', 'memory', 'snapshot'], expected, hint: `${file} is on hugetlbfs` });
  }
  return issues;
}

function checkLog({ log }: Config): Issue[] {
  const { access } = log;
  if (access === 'off' || access === 'stdout') return [];
  const path = ['log', 'access'];
  const expected = 'expected a file that can be written';
  try {
    if (statSync(access, { throwIfNoEntry: false }) === undefined) {
      const folder = dirname(access);
      if (!statSync(folder).isDirectory()) throw new Error(`${folder} is no folder`);
      return writable(path, folder, 'a file that can be written');
    }
    closeSync(openSync(access, constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK));
    return [];
  } catch (error) {
    // A fifo that nobody reads yet.
    return (error as NodeJS.ErrnoException).code === 'ENXIO' ? [] : [{ path, expected, hint: reason(access, error) }];
  }
}

/**
 * Sees whether a folder can be written by making one in it, or in the nearest that is there, and removing it at once.
 */
function writable(path: SettingPath, folder: string, expected: string): Issue[] {
  let at = folder;
  try {
    at = nearest(folder);
    if (!statSync(at).isDirectory()) throw new Error(`${at} is no folder`);
    if (at === folder) expectOwnFolder(at);
    rmdirSync(mkdtempSync(join(at, '.moovedge-check-')));
    return [];
  } catch (error) {
    return [{ path, expected: `expected ${expected}`, hint: reason(at, error) }];
  }
}

function isHugetlbfs(path: string): boolean {
  try {
    return statfsSync(nearest(path)).type === HUGETLBFS;
  } catch {
    return false;
  }
}

/** `path`, or the nearest folder above it that is there. */
function nearest(path: string): string {
  let at = path;
  while (statusOf(at) === undefined && dirname(at) !== at) at = dirname(at);
  return at;
}

function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function reason(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `there is no permission to write to ${path}`;
    case 'EROFS':
      return `the filesystem of ${path} is read-only`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `there is no space left in ${path}`;
    case 'ENOENT':
      return `nothing can be made in ${path}`;
    default:
      return message;
  }
}

function checkMemory({ cache, catalog, media }: Config): Issue[] {
  const allowed = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  const sizes: [SettingPath, number | 'auto'][] = [
    [['cache', 'memory', 'size'], cache.memory.size],
    [['catalog', 'memory'], catalog.memory],
    [['media', 'indexMemory'], media.indexMemory],
  ];
  return sizes.flatMap(([path, size]) =>
    tooLarge(path, size, allowed, 'the memory that this machine has for the edge'),
  );
}

/** Whole filesystems are looked at, not what is free: what an edge has there already is free for it. */
function checkSpace(config: Config): Issue[] {
  const { cache, catalog } = config;
  const disk = cache.disk.path;
  const memory = cache.memory.size;
  return [
    ...tooLarge(['cache', 'memory', 'size'], memory, ...filesystem(dirname(memoryFile(config)))),
    // The default is for whatever disk there is: a tier on a smaller one stays smaller.
    ...(disk === undefined || cache.disk.size === parseSize(DISK_SIZE)
      ? []
      : tooLarge(['cache', 'disk', 'size'], cache.disk.size, ...filesystem(disk))),
    ...(catalog.path === undefined ? [] : tooLarge(['catalog', 'size'], catalog.size, ...filesystem(catalog.path))),
  ];
}

function filesystem(path: string): [bytes: number, name: string] {
  const at = nearest(path);
  const { blocks, bsize } = statfsSync(at);
  // Some filesystems of networks and containers don't tell.
  return [blocks === 0 ? Number.POSITIVE_INFINITY : blocks * bsize, `the filesystem of ${at}`];
}

function tooLarge(path: SettingPath, size: number | 'auto', most: number, what: string): Issue[] {
  if (size === 'auto' || size <= most) return [];
  const bytes = Math.floor(most / 2 ** 20) * 2 ** 20;
  return [{ path, expected: `expected at most ${formatSize(bytes)}, ${what}`, hint: undefined }];
}
