import { accessSync, constants, statSync } from 'node:fs';
import { parseOrigin, shownUrl } from '../base/origin-url.js';
import type { Config } from './schema.js';
import type { Issue } from './setting.js';

/** Origins whose directory is not there or can't be read. */
export function checkOriginPlaces({ origins }: Config): Issue[] {
  return origins.flatMap((origin, index) => [
    ...wrongPlace(origin.url, ['origins', index, 'url']),
    ...origin.urls.flatMap(({ url }, place) => wrongPlace(url, ['origins', index, 'urls', place, 'url'])),
  ]);
}

function wrongPlace(url: string | undefined, path: Issue['path']): Issue[] {
  const place = url === undefined ? undefined : parseOrigin(url);
  if (place?.kind !== 'file') return [];
  const { directory } = place;
  const shown = shownUrl(directory);
  const hint = (text: string): Issue[] => [{ path, expected: 'expected a directory that can be read', hint: text }];
  try {
    if (!statSync(directory).isDirectory()) return hint(`${shown} is no directory`);
    accessSync(directory, constants.R_OK | constants.X_OK);
    return [];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') return hint(`there is no permission to read ${shown}`);
    return hint(code === 'ENOENT' ? `there is no ${shown}` : `${shown}: ${code}`);
  }
}
