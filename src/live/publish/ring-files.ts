import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { StreamPlace } from '../ring/stream-place.js';

/** Folder of rings that are pulled from elsewhere, beside that of the others. */
export function pulledFolder(folder: string): string {
  return `${folder}-pulled`;
}

const RING = /^(.+)\.(\d{1,16})\.ring$/;

/** The rings in a folder, newest first for each name. */
export function ringsIn(folder: string): StreamPlace[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .flatMap(file => {
      const [, name, id] = RING.exec(file) ?? [];
      return name === undefined ? [] : [{ name: decodeURIComponent(name), id: Number(id), file: join(folder, file) }];
    })
    .sort((a, b) => b.id - a.id);
}

/** Where the ring of a stream lies: what is told of it outlives the process that writes it. */
export function ringFile(folder: string, name: string, id: number): string {
  return join(folder, `${encodeURIComponent(name)}.${id}.ring`);
}
