import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TEXT = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');

/** Files that anybody may import. */
const LEAVES = new Set([
  'cache/block',
  'cache/outcome',
  'observe/log-type',
  'errors',
  'http-date',
  'lru',
  'native',
  'media/byte-source',
  'origin/parse-origin',
]);
/** What each stage may import beside itself and the leaves. `worker`, `cli` and `commands` compose and may import everything. */
const DOWNWARD: Readonly<Record<string, readonly string[]>> = {
  'virtual-file': [],
  config: [],
  store: [],
  observe: [],
  media: ['virtual-file'],
  origin: [],
  cache: ['origin', 'store'],
  catalog: ['cache', 'media', 'origin', 'store'],
  delivery: ['cache', 'catalog', 'virtual-file'],
  http: ['cache', 'catalog', 'delivery', 'media', 'observe', 'virtual-file'],
  supervisor: ['cache', 'catalog', 'config', 'http', 'observe', 'origin'],
};

function files(folder: string, kinds: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => kinds.test(file) && !file.startsWith('build/'))
    .map(file => `${folder}/${file}`);
}

const SOURCES = files('src', /\.ts$/);

/** Modules that a file imports, as they are written. */
function imports(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const statements =
    /^(?:import|export)\b(?:[^'\n]* from)? '([^'\n]+)';$|^\} from '([^'\n]+)';$|\bawait import\('([^'\n]+)'\)/gm;
  return [...text.matchAll(statements)].map(([, whole, broken, late]) => (whole ?? broken ?? late)!);
}

describe('ARCHITECTURE.md', () => {
  it('has a line for every file, and no line without a file', () => {
    const listed = new Set<string>();
    let folder = '';
    for (const line of TEXT.slice(TEXT.indexOf('## Files')).split('\n')) {
      folder = /^### (\S+)/.exec(line)?.[1] ?? folder;
      const name = /^- `([^`]+)`: \S/.exec(line)?.[1];
      if (name !== undefined) listed.add(`${folder}/${name}`);
    }
    const there = [...files('src', /\.(ts|mjs|html|css)$/), ...files('native', /\.(cc|h)$/)];
    assert.deepEqual([...listed].sort(), there.sort());
  });

  it('names the one importer of each library', () => {
    const importers = new Map<string, string[]>();
    for (const file of SOURCES) {
      for (const module of imports(file)) {
        if (module.startsWith('.') || module.startsWith('node:')) continue;
        importers.set(module, [...new Set([...(importers.get(module) ?? []), file])]);
      }
    }
    const table = [...TEXT.matchAll(/^\| (\S+) \| `(\S+)` \|$/gm)].map(
      ([, library, file]) => [library!, [file!]] as const,
    );
    assert.deepEqual([...importers].sort(), [...table].sort());
  });
});

it('imports run downward only', () => {
  const upward = SOURCES.flatMap(file => {
    const [, stage] = file.split('/');
    const allowed = DOWNWARD[stage!];
    if (allowed === undefined) return [];
    return imports(file)
      .filter(module => module.startsWith('.'))
      .map(module => relative(join(ROOT, 'src'), resolve(ROOT, dirname(file), module)).replace(/\.m?js$/, ''))
      .filter(
        target => !LEAVES.has(target) && target.split('/')[0] !== stage && !allowed.includes(target.split('/')[0]!),
      )
      .map(target => `${file} imports ${target}`);
  });
  assert.deepEqual(upward, []);
});
