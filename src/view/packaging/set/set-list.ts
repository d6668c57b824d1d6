import { checkPath } from '../../../base/checked-path.js';
import { EdgeError } from '../../../base/errors.js';
import { fileKind, SET_MAX } from '../url/file-set.js';
import { memberAt, type SetMember } from './member.js';

/** Most bytes of a list. */
export const LIST_MAX = 64 * 1024;

/** What may be said of a file, and how it is written. */
const FIELDS: Readonly<Record<string, string>> = {
  path: 'string',
  language: 'string',
  name: 'string',
  default: 'boolean',
  forced: 'boolean',
};

/**
 * The files that a `.set.json` names, such as `{"files": ["low.mp4", {"path": "de.srt", "name": "Deutsch"}]}`.
 * @param base path of the list; the files' paths count from its folder, or begin with `/`
 * @throws EdgeError `unplayable`, `bad_request`
 */
export function parseSetList(bytes: Uint8Array, base: string): SetMember[] {
  let list: unknown;
  try {
    list = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw wrong('expected JSON');
  }
  const { files } = (list ?? {}) as { files?: unknown };
  if (!Array.isArray(files) || files.length === 0 || files.length > SET_MAX) {
    throw wrong(`expected {"files": […]} with 1 to ${SET_MAX} files`);
  }
  const members = files.map(file => memberOf(file, base));
  if (!members.some(({ kind }) => kind === 'film')) throw wrong('expected a film among the files');
  return members;
}

function memberOf(file: unknown, base: string): SetMember {
  const fields: Record<string, unknown> = typeof file === 'string' ? { path: file } : { ...(file as object) };
  for (const [name, value] of Object.entries(fields)) {
    const type = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (typeof value !== type) {
      throw wrong(
        `expected files to have ${Object.keys(FIELDS).join(', ')}, found ${JSON.stringify(name).slice(0, 100)}`,
      );
    }
  }
  const { path, language, name, default: isDefault, forced } = fields as Record<string, string | boolean | undefined>;
  if (typeof path !== 'string' || path === '') throw wrong('expected each file to have a path');
  const escaped = path.replace(/[^\x21-\x7e]|[?#\\]/gu, encodeURIComponent);
  const absolute = checkPath(escaped.startsWith('/') ? escaped : base.slice(0, base.lastIndexOf('/') + 1) + escaped);
  const kind = fileKind(absolute);
  if (kind === undefined) throw wrong(`expected films and subtitles, found ${JSON.stringify(path).slice(0, 200)}`);
  const member = memberAt(absolute, kind);
  return {
    ...member,
    language: (language as string | undefined) ?? member.language,
    label: name as string | undefined,
    isDefault: isDefault === true,
    isForced: member.isForced || forced === true,
  };
}

function wrong(what: string): EdgeError {
  return new EdgeError('unplayable', `the list of the set can't be used: ${what}`);
}
