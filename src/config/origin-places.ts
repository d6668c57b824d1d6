import { accessSync, constants, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { schemeOf } from './origin-schema.js';
import type { Config } from './schema.js';
import type { Issue } from './setting.js';

/** Origins whose directory is not there or can't be read. */
export function checkOriginPlaces({ origins }: Config): Issue[] {
  return origins.flatMap((origin, index) => [
    ...wrongPlace(origin.url, ['origins', index, 'url']),
    ...origin.urls.flatMap(({ url }, place) => wrongPlace(url, ['origins', index, 'urls', place, 'url'])),
  ]);
}

/** The directory that the base URL of a `file` origin means. */
export function directoryOf(url: string): string {
  return /^file:/i.test(url) ? fileURLToPath(url) : url;
}

function wrongPlace(url: string | undefined, path: Issue['path']): Issue[] {
  if (url === undefined || schemeOf(url) !== 'file') return [];
  const directory = directoryOf(url);
  const hint = (text: string): Issue[] => [{ path, expected: 'expected a directory that can be read', hint: text }];
  try {
    if (!statSync(directory).isDirectory()) return hint(`${directory} is no directory`);
    accessSync(directory, constants.R_OK | constants.X_OK);
    return [];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') return hint(`there is no permission to read ${directory}`);
    return hint(code === 'ENOENT' ? `there is no ${directory}` : (error as Error).message);
  }
}
