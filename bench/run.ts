import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { provide } from '../test/packages.mjs';
import { chart } from './support/chart.js';
import { removeFolders } from './support/folder.js';
import { benchOptions, PEERS } from './support/options.js';
import { formatReport, type Report } from './support/report.js';
import { stopAll } from './support/server.js';

/*
 * npm run bench -- NAME|all [--peers a,b] [--rounds N] [--seconds N] [--against FOLDER] [--json FILE] [--charts FOLDER]
 * and what the benchmark understands itself. A benchmark is a file of this folder that exports `run(args)`, which
 * prints or gives back what it has found.
 */

interface Benchmark {
  run(args: readonly string[]): Promise<Report | undefined>;
}

const folder = fileURLToPath(new URL('.', import.meta.url));
const names = readdirSync(folder)
  .filter(name => name.endsWith('.ts') && name !== 'run.ts')
  .map(name => name.slice(0, -'.ts'.length))
  .sort();

async function main(): Promise<void> {
  const [wanted, ...args] = process.argv.slice(2);
  const chosen = wanted === 'all' ? names : names.filter(name => name === wanted);
  if (chosen.length === 0) {
    console.error(
      'usage: npm run bench -- NAME|all [--peers a,b] [--rounds N] [--seconds N] [--against FOLDER] [--json FILE]',
      '[--charts FOLDER]',
    );
    console.error(`NAME is one of: ${names.join(', ')}`);
    console.error(`peers are ${PEERS.join(', ')} or none; those that are missing are installed`);
    process.exitCode = 2;
    return;
  }
  provide('bench', benchOptions(args).peers);
  const string = { type: 'string' } as const;
  const { values } = parseArgs({ args, options: { json: string, charts: string }, strict: false });
  const reports: Record<string, Report> = {};
  const { json, charts } = values;
  if (typeof charts === 'string') mkdirSync(charts, { recursive: true });
  for (const name of chosen) {
    const report = await runOne(name, args);
    if (report === undefined) continue;
    reports[name] = report;
    console.log(formatReport(name, report));
    if (typeof charts === 'string') writeFileSync(join(charts, `${name}.svg`), chart(name, report));
  }
  if (typeof json === 'string') writeFileSync(json, `${JSON.stringify({ machine: machine(), reports }, null, 2)}\n`);
}

async function runOne(name: string, args: readonly string[]): Promise<Report | undefined> {
  try {
    const benchmark = (await import(`./${name}.js`)) as Benchmark;
    return await benchmark.run(args);
  } catch (error) {
    console.error(`${name} failed:`, error);
    process.exitCode = 1;
    return undefined;
  } finally {
    await stopAll();
    removeFolders();
  }
}

/** Programs that benchmarks start, and how they are asked for their version. */
const PEER_VERSIONS = [
  ['nginx', '-v'],
  ['varnishd', '-V'],
  ['traffic_server', '-V'],
] as const;

/** The first version number that a program says; nothing when it is not installed. */
function versionOf(program: string, flag: string): [program: string, version: string][] {
  const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8' });
  const version = /\d+\.\d+\.\d+/.exec(`${stdout}${stderr}`)?.[0];
  return version === undefined ? [] : [[program, version]];
}

function machine(): Record<string, string> {
  const [core] = cpus();
  return {
    date: new Date().toISOString(),
    processor: `${cpus().length} × ${core?.model ?? 'unknown'}`,
    kernel: release(),
    node: process.version,
    ...Object.fromEntries(PEER_VERSIONS.flatMap(([program, flag]) => versionOf(program, flag))),
  };
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void stopAll().then(() => {
      removeFolders();
      process.exit(1);
    });
  });
}
await main();
process.exit();
