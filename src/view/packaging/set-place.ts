import type { SetMember } from './set/member.js';
import type { FileSet } from './url/file-set.js';

/** What a URL says of where something packaged comes from. */
export interface SetPlace {
  /** Path of the film, or what stands for the set in the path. */
  readonly file: string;
  readonly set: FileSet;
  /** Its files; undefined when an object lists them. */
  readonly members: readonly SetMember[] | undefined;
}

/** Paths of the objects that are known to have a part in it. */
export function pathsOf({ file, members }: SetPlace): string[] {
  return members === undefined ? [file] : members.map(({ path }) => path);
}
