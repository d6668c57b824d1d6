import { readFile } from 'node:fs/promises';

const ROOT = new URL('../', import.meta.url).href;
const COMPILED = new URL('../build/tests/', import.meta.url).href;
/** Sources of ours: what lies in node_modules is JavaScript. */
const isSource = url => url.startsWith(ROOT) && url.endsWith('.ts') && !url.startsWith(`${ROOT}node_modules/`);

/** Sources name one another as what they become: `x.js` for `x.ts`. */
export function resolve(specifier, context, next) {
  const { parentURL } = context;
  if (!/^\.{1,2}\/.*\.js$/.test(specifier) || parentURL === undefined || !isSource(parentURL))
    return next(specifier, context);
  return { url: new URL(specifier.replace(/js$/, 'ts'), parentURL).href, format: 'module', shortCircuit: true };
}

export async function load(url, context, next) {
  if (!isSource(url)) return next(url, context);
  const compiled = new URL(`${COMPILED}${url.slice(ROOT.length).replace(/ts$/, 'js')}`);
  return { format: 'module', source: await readFile(compiled), shortCircuit: true };
}
