import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { exportsOf, filesOf, importsOf, ROOT, textOf } from '../support/source-tree.js';

const TEXT = textOf('ARCHITECTURE.md');
const SOURCES = filesOf('src', /\.ts$/);
const PROGRAMS = [...SOURCES, ...filesOf('test', /\.(ts|mjs)$/), ...filesOf('bench', /\.(ts|mjs)$/)];

/** A row of the table of folders. */
interface Row {
  /** Path from the root of the repository. */
  readonly path: string;
  /** `leaf`, `everything`, or paths below `src`, in backticks. */
  readonly allowed: string;
}

const ROWS: readonly Row[] = [...TEXT.matchAll(/^\| `((?:src|native)[^`]*)` \| ([^|]+) \| [^|]+ \|$/gm)].map(
  ([, path, allowed]) => ({ path: path!, allowed: allowed! }),
);

function covers({ path }: Row, file: string): boolean {
  return file === path || file.startsWith(`${path}/`);
}

/** The row that holds for a file: the longest that covers it. */
function rowOf(file: string): Row | undefined {
  return ROWS.filter(row => covers(row, file)).sort((a, b) => b.path.length - a.path.length)[0];
}

function mayImport(file: string, target: string): boolean {
  const from = rowOf(file)!;
  const to = rowOf(target);
  if (to === undefined) return false;
  if (from.path === to.path || to.allowed === 'leaf' || from.allowed === 'everything') return true;
  return [...from.allowed.matchAll(/`([^`]+)`/g)].some(([, path]) => covers({ ...from, path: `src/${path}` }, target));
}

/** Groups of folders each of which leads to all others of its group, types included. */
function circlesOfFolders(): string[] {
  const imported = new Map<string, Set<string>>();
  for (const file of SOURCES) {
    const folder = dirname(file);
    const targets = importsOf(file).flatMap(({ file: target }) => (target?.startsWith('src/') ? dirname(target) : []));
    imported.set(folder, new Set([...(imported.get(folder) ?? []), ...targets]));
  }
  const reached = new Map([...imported.keys()].map(folder => [folder, new Set<string>()]));
  for (const [folder, found] of reached) {
    const next = [folder];
    for (const each of next) {
      for (const target of imported.get(each) ?? []) {
        if (found.has(target)) continue;
        found.add(target);
        next.push(target);
      }
    }
  }
  const groups = [...reached.keys()].map(folder =>
    [...reached.get(folder)!].filter(other => reached.get(other)?.has(folder)).sort(),
  );
  return [...new Set(groups.filter(group => group.length > 1).map(group => group.join(' ')))].sort();
}

describe('ARCHITECTURE.md', () => {
  it('has a row for every file, and no row without a file', () => {
    assert.deepEqual(
      SOURCES.filter(file => rowOf(file) === undefined),
      [],
    );
    assert.deepEqual(
      ROWS.filter(row => !existsSync(join(ROOT, row.path))),
      [],
    );
  });

  it('allows every import between folders', () => {
    const upward = SOURCES.flatMap(file =>
      importsOf(file)
        .flatMap(({ file: target }) => target ?? [])
        .filter(target => target.startsWith('src/') && target.endsWith('.ts') && !mayImport(file, target))
        .map(target => `${file} imports ${target}`),
    );
    assert.deepEqual(upward, []);
  });

  it('names the one importer of each library', () => {
    const importers = new Map<string, string[]>();
    for (const file of SOURCES) {
      for (const { module } of importsOf(file)) {
        if (module.startsWith('.') || module.startsWith('node:')) continue;
        importers.set(module, [...new Set([...(importers.get(module) ?? []), file])]);
      }
    }
    const table = [...TEXT.matchAll(/^\| ([^`|\s]+) \| `(\S+)` \|$/gm)].map(
      ([, library, file]) => [library!, [file!]] as const,
    );
    assert.deepEqual([...importers].sort(), [...table].sort());
  });
});

it('folders form no circle of imports', () => {
  assert.deepEqual(circlesOfFolders(), []);
});

it('what a file exports is used: values by another file, types at least within the file', () => {
  const used = new Map<string, Set<string>>();
  for (const { file, names } of PROGRAMS.flatMap(importsOf)) {
    if (file !== undefined) used.set(file, new Set([...(used.get(file) ?? []), ...names]));
  }
  const unused = PROGRAMS.flatMap(file => {
    // Benchmarks, the reporter and the hooks of imports are loaded by name.
    if (/^bench\/[^/]+\.ts$/.test(file) || /^test\/(reporter|compiled-hooks)\.mjs$/.test(file)) return [];
    const names = used.get(file);
    return exportsOf(file)
      .filter(({ name }) => !names?.has(name) && !names?.has('*'))
      .filter(({ name, isType }) => !isType || [...textOf(file).matchAll(new RegExp(`\\b${name}\\b`, 'g'))].length < 2)
      .map(({ name }) => `${name} of ${file}`);
  });
  assert.deepEqual(unused, []);
});

it('no two files of the product export things of one name', () => {
  const places = new Map<string, string[]>();
  for (const file of SOURCES) {
    for (const { name } of exportsOf(file)) places.set(name, [...(places.get(name) ?? []), file]);
  }
  const shared = [...places].filter(([, files]) => new Set(files).size > 1);
  assert.deepEqual(shared, []);
});
