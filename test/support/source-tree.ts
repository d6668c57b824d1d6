import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder, with a slash at its end. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** One import or re-export of a file. */
interface Import {
  /** The module as it is written, such as `./box.js` or `zod`. */
  readonly module: string;
  /** The file of this repository that it means, from its root, such as `src/base/lru.ts`; undefined for libraries. */
  readonly file: string | undefined;
  /** What is taken of it, by the names that the other file gives it; `*` is everything. */
  readonly names: readonly string[];
}

/** Files of a folder, with paths from the root of the repository, that match. */
export function filesOf(folder: string, kinds: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map(file => `${folder}/${file}`)
    .filter(file => kinds.test(file) && !/\/(build|node_modules)\//.test(file))
    .sort();
}

export function textOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** `import … from`, `export … from`, `import '…'`, `import('…')` as an expression and as a type. */
const IMPORT =
  /^(?:import|export)\s+(?:type\s+)?(?:([^'";]*?)\s+from\s+)?'([^'\n]+)';$|\bimport\('([^'\n]+)'\)(?:\.(\w+))?/gm;

/** What a file imports, types included. */
export function importsOf(file: string): Import[] {
  return [...textOf(file).matchAll(IMPORT)].map(([, clause, fixed, late, member]) => {
    const module = fixed ?? late!;
    return { module, file: fileOf(file, module), names: fixed === undefined ? [member ?? '*'] : namesIn(clause ?? '') };
  });
}

/** Names in `{ a, type B as C }`; `*` for a namespace. */
function namesIn(clause: string): string[] {
  if (clause.includes('*')) return ['*'];
  const list = /\{([^}]*)\}/.exec(clause)?.[1] ?? '';
  return list
    .split(',')
    .map(
      name =>
        name
          .trim()
          .replace(/^type\s+/, '')
          .split(/\s+as\s+/)[0]!,
    )
    .filter(name => name !== '');
}

function fileOf(importer: string, module: string): string | undefined {
  if (!module.startsWith('.')) return undefined;
  return relative(ROOT, resolve(ROOT, dirname(importer), module)).replace(/\.js$/, '.ts');
}

/** What a file exports itself. */
export function exportsOf(file: string): { readonly name: string; readonly isType: boolean }[] {
  const declared = /^export (?:abstract |async )*(class|const|let|function\*?|interface|type|enum) (\w+)/gm;
  return [...textOf(file).matchAll(declared)].map(([, kind, name]) => ({
    name: name!,
    isType: kind === 'interface' || kind === 'type',
  }));
}
