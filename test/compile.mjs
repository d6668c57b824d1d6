// `node test/compile.mjs`: makes JavaScript of src/, test/ and bench/ in build/tests, for compiled.mjs. Each file is
// transpiled by itself, without a look at its types: those are judged by `npm run typecheck`.
import { readdirSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { transform } from 'esbuild';

const ROOT = new URL('../', import.meta.url);
const OUTPUT = new URL('build/tests/', ROOT);

async function compile(file) {
  // Modules keep the URLs of their sources, so stack traces and coverage tell these.
  const { href } = new URL(file, ROOT);
  const source = await readFile(new URL(file, ROOT), 'utf8');
  const { code } = await transform(source, {
    loader: 'ts',
    target: 'es2023',
    sourcefile: href,
    sourcemap: 'inline',
  });
  const output = new URL(file.replace(/ts$/, 'js'), OUTPUT);
  await mkdir(new URL('.', output), { recursive: true });
  await writeFile(output, code);
}

await rm(OUTPUT, { recursive: true, force: true });
const sources = ['src', 'test', 'bench'].flatMap(folder =>
  readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' }).map(path => `${folder}/${path}`),
);
await Promise.all(sources.filter(path => /(?<!\.d)\.ts$/.test(path)).map(compile));
