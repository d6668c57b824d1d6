/*
 * The public suite of tests for HTTP caches (https://cache-tests.fyi), run against the edge:
 *
 *   npm run build && npm run test:cache -- [--least 270] [--only REGEXP] [--suite FOLDER]
 *
 * The suite is fetched from npm, without what it depends on. It measures: not all that it asks for is wanted of an edge
 * (POST is answered with 405), and some was written before RFC 9111. Prints what fails and how many cases hold; exits
 * with 1 when those are fewer than `--least`.
 */
import { type ChildProcess, type SpawnSyncOptions, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Edge } from '../../support/edge.js';
import { freePort } from '../../support/ports.js';
import { until } from '../../support/until.js';

const SUITE = 'http-cache-tests@0.4.5';
/** Cases that run at once: so many that the pauses of three seconds between requests don't take hours. */
const AT_ONCE = 40;
/** What lets the suite see through the edge: its own fields, and those that its cases vary by. */
const FORWARD = ['Test-ID', 'Req-Num', 'Test-Name', 'Foo', 'Bar', 'Baz', 'Abc', 'Accept-Language'];
const SETTINGS = `freshness: {honourRequestDirectives: true, errorTtl: 0, default: 0, setCookie: share}`;

/** As much of the suite's own types as is used here. */
interface Case {
  readonly id: string;
  readonly name: string;
  readonly kind?: string;
}
interface Group {
  readonly id: string;
  readonly tests: readonly Case[];
}
interface Runner {
  runTests(groups: readonly Group[], request: Send, browser: boolean, base: string, atOnce: number): Promise<void>;
  /** True, or the kind of the failure and its message. */
  getResults(): Readonly<Record<string, true | readonly string[]>>;
}
interface Init {
  readonly method?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
}
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  text(): Promise<string>;
}
type Send = (url: string, init?: Init) => Promise<Answer>;

const { values } = parseArgs({
  options: { least: { type: 'string' }, only: { type: 'string' }, suite: { type: 'string' } },
});

const folder = mkdtempSync(join(tmpdir(), 'moovedge-cache-tests-'));
const suite = values.suite ?? fetchSuite();
const module = async (file: string) => import(pathToFileURL(join(suite, file)).href);

const originPort = await freePort();
const origin = startOrigin();
const originUrl = `http://localhost:${originPort}`;
const edge = await Edge.start({
  origin: `[{name: main, url: "${originUrl}", retries: 0, redirects: {mode: pass}, forward: [${FORWARD}]}]`,
  settings: SETTINGS,
});
try {
  process.exitCode = await run();
} finally {
  await edge.end();
  origin.kill();
  rmSync(folder, { recursive: true, force: true });
}

/** Downloads and unpacks the suite. */
function fetchSuite(): string {
  const quiet: SpawnSyncOptions = { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] };
  const packed = spawnSync('npm', ['pack', '--silent', SUITE], quiet);
  const unpacked = spawnSync('sh', ['-c', 'tar -xzf http-cache-tests-*.tgz'], quiet);
  if (packed.status !== 0 || unpacked.status !== 0) throw new Error(`can't fetch ${SUITE} by npm; or name --suite`);
  return join(folder, 'package');
}

function startOrigin(): ChildProcess {
  const settings = { protocol: 'http', port: String(originPort), pidfile: join(folder, 'pid') };
  const env = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`npm_config_${name}`, value]));
  return spawn(process.execPath, ['server/server.mjs'], {
    cwd: suite,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/**
 * The cases' own requests go to the edge, what sets them up and looks at them to the origin. Fields go out as they are,
 * to which Node's own `fetch` would add Cache-Control.
 */
function request(url: string, { method, headers, body }: Init = {}): Promise<Answer> {
  const target = /\/(config|state)\//.test(url) ? url.replace(edge.url, originUrl) : url;
  return new Promise((resolve, reject) => {
    const sent = httpRequest(target, { method, agent: false }, response => {
      const { statusCode: status = 0, rawHeaders } = response;
      const fields = new Headers();
      for (let i = 0; i < rawHeaders.length; i += 2) fields.append(rawHeaders[i]!, rawHeaders[i + 1]!);
      text(response).then(content => resolve({ status, headers: fields, text: async () => content }), reject);
    });
    for (const [name, value] of headers ?? []) sent.appendHeader(name, value);
    sent.on('error', reject).end(body);
  });
}

async function run(): Promise<number> {
  const { runTests, getResults } = (await module('client/runner.mjs')) as Runner;
  const groups = await cases();
  await until("the suite's server", () => fetch(originUrl).catch(() => undefined));
  await runTests(groups, request, false, edge.url, AT_ONCE);
  const results = getResults();
  const all = groups.flatMap(({ id, tests }) => tests.map(test => ({ group: id, ...test })));
  const ran = all.filter(({ id }) => results[id] !== undefined);
  const failed = ran.filter(({ id }) => results[id] !== true);
  for (const { group, id, kind = 'required' } of failed)
    process.stdout.write(`${group}\t${id}\t${kind}\t${(results[id] as readonly string[]).join(': ')}\n`);
  const held = ran.length - failed.length;
  process.stdout.write(`${held} of ${ran.length} hold\n`);
  return held < Number(values.least ?? 0) ? 1 : 0;
}

async function cases(): Promise<Group[]> {
  const groups: Group[] = [...(await module('tests/index.mjs')).default];
  groups.push((await module('tests/surrogate-control.mjs')).default);
  const only = new RegExp(values.only ?? '');
  return groups.map(group => ({ ...group, tests: group.tests.filter(({ id }) => only.test(id)) }));
}
