import { DISK_SIZE } from './schema.js';
import type { Issue, SettingPath } from './setting.js';

/**
 * Settings that would do nothing, or not what whoever wrote them thinks; seen in what was written, since defaults hide
 * what was left out.
 * @param flags the settings that the command line gives
 */
export function checkIdle(written: unknown, flags: readonly SettingPath[]): Issue[] {
  return [...emptyOrigins(written), ...sizeWithoutDisk(written, flags)];
}

/**
 * A list of origins that has become empty must not turn into the sample clips, which are for somebody who has not named
 * any.
 */
function emptyOrigins(written: unknown): Issue[] {
  const root = groupOf(written);
  if (!Object.hasOwn(root, 'origins')) return [];
  const { origins } = root;
  if (origins !== undefined && !(Array.isArray(origins) && origins.length === 0)) return [];
  const hint = 'leave the key out to serve the sample clips, or the origin that the command line names';
  return [{ path: ['origins'], expected: 'expected at least one origin', hint }];
}

/** The size of a disk tier that is turned off. A file may state the default, as the example does. */
function sizeWithoutDisk(written: unknown, flags: readonly SettingPath[]): Issue[] {
  const { path, size } = groupOf(groupOf(groupOf(written).cache).disk);
  if (path !== undefined || size === undefined) return [];
  const isFlag = flags.some(path => path.join('.') === 'cache.disk.size');
  if (size === DISK_SIZE && !isFlag) return [];
  const hint = 'without cache.disk.path (--disk) there is no disk tier';
  return [{ path: ['cache', 'disk', 'size'], expected: 'expected cache.disk.path beside it', hint }];
}

function groupOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
