import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { AdminServer } from '../../../src/admin/admin-server.js';
import { prefetchUrls } from '../../../src/admin/prefetch.js';
import { adminRoutes } from '../../../src/admin/routes.js';
import { EXIT } from '../../../src/app/exit-code.js';
import { silentLog } from '../../../src/base/log.js';
import { Metrics } from '../../../src/observe/metrics.js';
import { totalsOf } from '../../../src/observe/totals.js';
import type { EdgeStats } from '../../../src/supervisor/supervisor.js';
import { CLI } from '../../support/edge-command.js';
import { moovedge, spawnMoovedge } from './cli.js';

const TOKEN = 'correct-horse-battery';
/** Maps a file until its standard input ends. */
const HOLD =
  'import mmap,sys; f=open(sys.argv[1],"r+b"); m=mmap.mmap(f.fileno(),0); print(1,flush=True); sys.stdin.read()';
const folder = mkdtempSync(path.join(tmpdir(), 'moovedge-commands-'));
const edge = createServer((request, response) => {
  response.statusCode = request.url === '/ok.mp4' ? 200 : 404;
  response.end('x'.repeat(1000));
});
await new Promise<void>(resolve => edge.listen(0, '127.0.0.1', resolve));
const playerPort = (edge.address() as { port: number }).port;

const metrics = new Metrics();
metrics.counter('moovedge_http_requests_total', () => [[{ status: 206, outcome: 'memory' }, 42]]);
const stats: EdgeStats = {
  version: '1.2.3',
  pid: 1,
  ready: true,
  drained: false,
  uptimeSeconds: 3700,
  generation: 4,
  listen: { host: '0.0.0.0', port: playerPort },
  listeners: [
    { host: '::', port: playerPort },
    { host: '0.0.0.0', port: 1, unix: '/run/edge.sock' },
  ],
  totals: totalsOf(await metrics.snapshot()),
  windows: {},
  reload: { ok: true, time: 0 },
  workers: [{ index: 0, generation: 4, pid: 77, state: 'ready', uptimeSeconds: 5, stats: {} }],
  services: { memory: { file: path.join(folder, 'moovedge-8080.cache') } },
};
const purged: unknown[] = [];
const admin = new AdminServer({
  host: '127.0.0.1',
  port: 0,
  token: TOKEN,
  log: silentLog,
  routes: adminRoutes({
    ready: true,
    player: { scheme: 'http', port: playerPort },
    cluster: () => undefined,
    metricsText: async () => '',
    stats: async () => stats,
    list: async ({ prefix, limit }) => ({
      objects: [
        {
          ...{ key: 'films/a.mp4', path: `${prefix?.path}a.mp4`, origin: 'films', size: 2 ** 20, freshness: 'fresh' },
          ...{ age: 5, lifetime: 600, blocks: { memory: 1, disk: 2, origin: 1 }, tags: ['new', 'hd'] },
        },
      ],
      more: limit === 1,
    }),
    explain: url => ({
      routes: ['2: *'],
      access: undefined,
      objects: [
        {
          ...{ path: url.path, origin: 'films', asked: '/a.mp4?v=1', key: 'films/a.mp4?v=1', stored: 'yes' },
          ...{
            freshness: 'fresh',
            age: 5,
            lifetime: 600,
            size: 2 ** 20,
            blocks: {
              memory: 1,
              disk: 2,
              origin: 1,
              runs: [
                ['memory', 1],
                ['disk', 2],
                ['origin', 1],
              ] as const,
            },
          },
        },
      ],
    }),
    async purge(request) {
      purged.push(request.scope);
      return {
        objects: request.scope.kind === 'urls' ? request.scope.urls.length : 7,
        more: request.scope.kind === 'all',
      };
    },
    prefetch: (wanted, progress, signal) =>
      prefetchUrls({ scheme: 'http', host: '127.0.0.1', port: playerPort, key: '' }, wanted, progress, signal),
  }),
});
const port = await admin.listen();
const url = `http://127.0.0.1:${port}`;
const flags = ['--admin', url, '--token', TOKEN];
after(async () => {
  await admin.close();
  edge.close();
  rmSync(folder, { recursive: true });
});

test('check-config says good, or every mistake with its place', async () => {
  const file = path.join(folder, 'edge.yaml');
  writeFileSync(file, 'listen: {port: 80}\n');
  assert.deepEqual(await moovedge(['check-config', file]), { code: 0, output: `${file}: good\n`, errors: '' });
  writeFileSync(file, 'listen: {prt: 80}\nworkers: 0\n');
  const { code, errors } = await moovedge(['check-config', file]);
  assert.equal(code, EXIT.config);
  assert.equal(
    errors,
    `${file}:1:10: unknown key listen.prt; did you mean port?\n${file}:2:10: workers: expected a whole number from 1 to 256, or auto, found 0\n`,
  );
});

test('help and mistakes of the command line', async () => {
  const { output } = await moovedge(['serve', '--help']);
  for (const flag of [
    '--config',
    '--host',
    '--port',
    '--admin-host',
    '--admin-port',
    '--workers',
    '--memory',
    '--memory-file',
    '--disk',
    '--disk-size',
    '--take-over',
  ]) {
    assert.match(output, new RegExp(`^ +${flag}\\b`, 'm'), flag);
  }
  assert.match((await moovedge(['--help'])).output, /prefetch .*\n.*purge .*\n.*cluster .*\n.*\n.*top /);
  const unknown = await moovedge(['serve', '--prot', '80']);
  assert.equal(unknown.code, EXIT.usage);
  assert.match(unknown.errors, /unknown option '--prot'\n\(Did you mean --port\?\)/);
  const missing = await moovedge(['serve', '/no/where', '--port', 'x']);
  assert.deepEqual(missing, {
    code: EXIT.config,
    output: '',
    errors: '--port: expected a whole number from 1 to 65535, found "x"\n',
  });
  assert.match(
    (await moovedge(['serve', '/no/where'])).errors,
    /^ORIGIN: expected a directory that can be read, .*there is no \/no\/where\n$/,
  );
});

test('why tells route, key, origin, freshness and tiers', async () => {
  const { code, output } = await moovedge(['why', 'http://h/a.mp4?v=1', ...flags]);
  assert.equal(code, 0);
  for (const line of [/^route +2: \*$/m, /^access +open to all$/m, /^origin +films \/a\.mp4\?v=1$/m, /^key +films\/a/m])
    assert.match(output, line);
  assert.match(output, /^freshness +fresh, .*old, good for/m);
  assert.match(output, /^tier +memory 1, disk 2, origin 1 blocks of 1\.0 MiB$/m);
  assert.equal((await moovedge(['why', ...flags])).code, 64);
});

test('ls tells what is cached, for people and for machines', async () => {
  const { code, output } = await moovedge(['ls', '/films/', ...flags]);
  assert.equal(code, 0);
  assert.equal(output, '   1.0 MiB  memory  25%  disk  50%  fresh  films  /films/a.mp4  [new hd]\n1 object\n');
  const [line = '', ...more] = (await moovedge(['ls', '--json', '/films/', ...flags])).output.split('\n');
  assert.deepEqual([JSON.parse(line).key, more], ['films/a.mp4', ['']]);
  assert.match((await moovedge(['ls', '--limit', '1', '/films/', ...flags])).output, /1 object, and there are more\n$/);
  assert.equal((await moovedge(['ls', '--limit', '0', ...flags])).code, EXIT.usage);
});

test('purge by tag, glob and expression are what the edge is told', async () => {
  for (const [given, scope] of [
    [['--tag', 'a', 'b'], { kind: 'tags', tags: ['a', 'b'] }],
    [['--glob', 'http://H:8080/films/**/ä*.mp4'], { kind: 'glob', host: 'h', glob: '/films/**/%C3%A4*.mp4' }],
    [['--regex', '^/a+$'], { kind: 'regex', regex: '^/a+$' }],
  ] as const) {
    assert.equal((await moovedge(['purge', ...flags, ...given])).code, 0);
    assert.deepEqual(purged.at(-1), scope);
  }
});

test('check-config refuses what hugetlbfs can not do', t => {
  const dir = mkdtempSync(path.join(tmpdir(), 'moovedge-huge-'));
  const config = path.join(dir, 'edge.yaml');
  const check = (cache: string) => {
    writeFileSync(config, `cache: {${cache}}\n`);
    const script = 'mkdir -p "$1" && mount -t hugetlbfs none "$1" && exec "$2" "$3" check-config "$4"';
    const args = ['--mount', 'sh', '-c', script, 'sh', path.join(dir, 'huge'), process.execPath, CLI, config];
    return spawnSync('unshare', args, { encoding: 'utf8' });
  };
  const disk = 'disk: {path: disk}';
  const usual = check(`memory: {file: huge/m, size: 64MiB}, ${disk}`);
  if (/unshare|mount/.test(usual.stderr)) return t.skip('nothing may be mounted here');
  const snapshot = check(`memory: {file: huge/m, snapshot: snapshot}, ${disk}`).stderr;
  assert.match(
    snapshot,
    /cache\.memory\.snapshot: expected a cache\.memory\.file that can be written again.*hugetlbfs/,
  );
  const target = check(`memory: {file: m, snapshot: huge/snapshot}, ${disk}`).stderr;
  assert.match(target, /cache\.memory\.snapshot: expected a folder that can be written.*huge is on hugetlbfs/);
  assert.match(check('disk: {path: huge/disk}').stderr, /cache\.disk\.path: expected a folder.*hugetlbfs/);
  rmSync(dir, { recursive: true });
});

test('cleanup finds what edges have left, and removes it when it is told to', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'moovedge-left-'));
  const secret = '0123456789abcdef'.repeat(2);
  mkdirSync(path.join(dir, `moovedge-8080.cache.${secret}.catalog`));
  mkdirSync(path.join(dir, 'moovedge-8080.cache.mine.catalog'));
  for (const name of ['moovedge-8080.cache', 'moovedge-x.cache', 'other', `moovedge-8080.cache.${secret}.catalog/data`])
    writeFileSync(path.join(dir, name), 'x'.repeat(5000));
  const left = ['moovedge-8080.cache', `moovedge-8080.cache.${secret}.catalog`];
  const told = await moovedge(['cleanup', '--dir', dir]);
  assert.equal(told.code, 0);
  for (const name of left) assert.ok(told.output.includes(`left over: ${path.join(dir, name)} (`), told.output);
  assert.match(told.output, /remove them with --yes/);
  assert.equal(readdirSync(dir).length, 5);
  // Whatever a process has mapped stays, with its catalog.
  const mapped = path.join(dir, 'moovedge-8080.cache');
  const holder = spawn('python3', ['-c', HOLD, mapped], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const kept = await moovedge(['cleanup', '--dir', dir, '--yes']);
  assert.equal(kept.output, `in use: ${mapped}\n`);
  holder.stdin.end();
  await once(holder, 'exit');
  assert.match((await moovedge(['cleanup', '--dir', dir, '--yes'])).output, /^removed: /);
  assert.deepEqual(readdirSync(dir).sort(), ['moovedge-8080.cache.mine.catalog', 'moovedge-x.cache', 'other']);
  rmSync(dir, { recursive: true });
});

test('cleanup keeps what the edge uses that it asks, and looks at its folder', async () => {
  for (const name of ['moovedge-8080.cache', 'moovedge-9090.cache']) writeFileSync(path.join(folder, name), 'x');
  const [used, left] = [8080, 9090].map(number => path.join(folder, `moovedge-${number}.cache`));
  const { code, output } = await moovedge(['cleanup', '--yes', ...flags]);
  assert.equal(code, 0);
  assert.match(output, new RegExp(`^removed: ${left} .*\\nin use: ${used}\\n$`));
  const none = await moovedge(['cleanup', '--yes', '--admin', 'http://127.0.0.1:9']);
  assert.equal(none.code, EXIT.unavailable, 'nothing is removed beside an edge that does not answer');
});

test('status tells every address', async () => {
  const { output } = await moovedge(['status', ...flags]);
  assert.match(output, new RegExp(`^listens +\\[::\\]:${playerPort}, /run/edge.sock$`, 'm'));
});

test('purge tells the edge and says what was done', async () => {
  assert.deepEqual(await moovedge(['purge', '/a', 'http://h/b', ...flags]), {
    code: 0,
    output: 'purged: 2 objects\n',
    errors: '',
  });
  assert.deepEqual(purged.at(-1), {
    kind: 'urls',
    urls: [
      { path: '/a', query: '' },
      { host: 'h', path: '/b', query: '' },
    ].map(each => ({ host: undefined, ...each })),
  });
  assert.equal(
    (await moovedge(['purge', '--prefix', '/films/', '--soft', ...flags])).output,
    'marked stale: 7 objects\n',
  );
  assert.equal(
    (await moovedge(['purge', '--all', '--admin', url], { MOOVEDGE_ADMIN_TOKEN: TOKEN })).output,
    'purged: at least 7 objects\n',
  );
  for (const pattern of [['/films/*.mp4'], ['http://h/**'], ['--prefix', '/films/*']]) {
    const { code, errors } = await moovedge(['purge', ...pattern, ...flags]);
    assert.equal(code, EXIT.data);
    assert.match(
      errors,
      /found a pattern, .*: say glob \(purge --glob\), or purge the prefix \/(films\/)?, or write %2A/,
    );
  }
  const none = await moovedge(['purge', ...flags]);
  assert.deepEqual(
    [none.code, none.errors],
    [EXIT.usage, 'moovedge: expected URLs, or one of --prefix, --tag, --glob, --regex and --all\n'],
  );
  const two = await moovedge(['purge', '/a', '--all', ...flags]);
  assert.equal(two.code, EXIT.usage);
  const refused = await moovedge(['purge', '--all', '--admin', url]);
  assert.equal(refused.code, EXIT.noPermission);
  assert.match(refused.errors, /^moovedge: the edge refused: expected the field .*MOOVEDGE_ADMIN_TOKEN\n$/);
});

test('the admin token comes from a file, too', async () => {
  const file = path.join(folder, 'token');
  writeFileSync(file, `${TOKEN}\n`);
  const purge = ['purge', '--all', '--admin', url, '--token-file', file];
  assert.equal((await moovedge(purge)).code, 0);
  writeFileSync(file, 'two words');
  assert.equal((await moovedge(purge)).code, EXIT.usage);
  rmSync(file);
  assert.equal((await moovedge(purge)).code, EXIT.noInput);
});

test('the list of processes shows neither tokens nor passwords', async () => {
  const secret = 'hunter2-hunter2-hunter2';
  const silent = createServer(() => {});
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
  const { port: silentPort } = silent.address() as AddressInfo;
  const asked = once(silent, 'request');
  const child = spawnMoovedge(['top', '--admin', `http://u:${secret}@127.0.0.1:${silentPort}`, '--token', secret]);
  try {
    await asked;
    const shown = readFileSync(`/proc/${child.pid}/cmdline`, 'latin1');
    assert.ok(shown.startsWith('moovedge top'), shown);
    assert.ok(!shown.includes(secret));
  } finally {
    child.kill('SIGKILL');
    silent.closeAllConnections();
    silent.close();
  }
});

test('prefetch says how each URL ended, and fails when one did', async () => {
  assert.deepEqual(await moovedge(['prefetch', '/ok.mp4', ...flags]), {
    code: 0,
    output: '/ok.mp4 1000 bytes ok\n',
    errors: '',
  });
  const { code, output, errors } = await moovedge(['prefetch', '/ok.mp4', '/missing', ...flags]);
  assert.equal(code, EXIT.unavailable);
  assert.match(output, /^\/missing 0 bytes status 404$/m);
  assert.equal(errors, 'moovedge: 1 of 2 failed:\n/missing: status 404\n');
});

test('top shows one view where there is no terminal', async () => {
  const { code, output } = await moovedge(['top', '--interval', '100ms', ...flags]);
  assert.equal(code, 0);
  assert.match(output, /^moovedge 1\.2\.3 {2}port \d+ {2}ready {2}up 1 h 1 min {2}generation 4/);
  assert.match(output, /^requests +0\/s +2xx 0\/s$/m);
  assert.match(output, /^worker 0 +ready +pid 77/m);
});

test('an edge that does not answer is told in a line', async () => {
  const { code, errors } = await moovedge(['top', '--admin', 'http://127.0.0.1:1']);
  assert.equal(code, EXIT.unavailable);
  assert.match(errors, /^moovedge: no edge answers at http:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\): is it running\?.*\n$/);
});
