import { normalPath } from '../../base/percent.js';
import { fileSet, isPackagedFile } from '../../view/packaging/url/file-set.js';
import { parsePackagedPath } from '../../view/packaging/url/packaged-path.js';

/**
 * The partition that a path belongs to. What belongs to a film goes with it: its ranges and seeks, whose paths are the
 * film's, and its playlists, manifests and segments; a set of renditions goes with the first of them. It depends on
 * nothing but its arguments, so that all nodes of all versions agree.
 * @param path of a request, without query
 * @param partitions of the cluster
 * @returns from 0 to `partitions` - 1
 */
export function partitionOf(path: string, partitions: number): number {
  return hashOf(filmOf(path)) % partitions;
}

/** The path of the film that a path is about, in the one way to write it: the same for all that goes with a film. */
export function filmOf(path: string): string {
  return normalPath(fileOf(path));
}

function fileOf(path: string): string {
  const file = parsePackagedPath(path, isPackagedFile)?.file ?? path;
  if (!file.endsWith('.urlset') || !isPackagedFile(file)) return file;
  try {
    const set = fileSet(file);
    return set.kind === 'urlset' ? set.paths[0]! : file;
  } catch {
    // A set whose paths may not be asked for is refused, wherever it goes.
    return file;
  }
}

/** FNV-1a of visible ASCII, mixed as in MurmurHash3, since its low bits alone are not even; 32 bits without a sign. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
