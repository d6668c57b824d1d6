import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetchText } from '../../support/fetch-text.js';
import { assertSoon } from '../../support/stopwatch.js';
import { until } from '../../support/until.js';
import { startFakeEdge } from './fake-edge.js';
import { Load } from './load.js';

for (const unprivileged of [false, true]) {
  const how = unprivileged ? ', without CAP_NET_ADMIN' : '';
  test(`no request fails when the configuration is reloaded under load${how}`, () => reloadUnderLoad(unprivileged));
}

async function reloadUnderLoad(unprivileged: boolean): Promise<void> {
  const edge = await startFakeEdge({ unprivileged });
  const load = new Load(edge.port, 20);
  for (let generation = 2; generation <= 5; generation++) {
    edge.signal('SIGHUP');
    await until(`generation ${generation}`, async () => {
      const { generation: now, workers } = await edge.stats();
      return now === generation && workers.length === 2 ? true : undefined;
    });
  }
  const { requests, failures, longest, generations } = await load.stop();
  assert.deepEqual(failures, []);
  assert.ok(requests > 500, `only ${requests} requests`);
  assertSoon(longest, 3000, 'a request');
  assert.deepEqual(generations.toSorted(), ['1', '2', '3', '4', '5']);
  assert.doesNotMatch(edge.log, /the drain failed/);
  await edge.end();
}

test('a reload lets long answers of the old workers end', async () => {
  const edge = await startFakeEdge({ settings: 'shutdown: {grace: 0}\n' });
  const slow = fetchText(edge.port, '/slow?ms=2500');
  await until('the slow request', async () => ((await edge.stats()).totals.openResponses > 0 ? true : undefined));
  edge.signal('SIGHUP');
  await edge.logged('the old workers drain');
  await until('an answer of the new workers', async () =>
    (await fetchText(edge.port, '/')).body.startsWith('2/') ? true : undefined,
  );
  assert.match((await slow).body, /^1\//);
  await edge.logged('the old workers are gone');
  assert.ok((await edge.stats()).totals.requests >= 2, 'what the old workers counted is kept');
  await edge.end();
});

test('a reload changes ports, the number of workers and the token', async () => {
  const edge = await startFakeEdge();
  const token = 'a-token-of-20-letters';
  edge.configure(`log: {level: debug}\n`, 3);
  edge.signal('SIGHUP');
  await until('three workers', async () => ((await edge.stats()).workers.length === 3 ? true : undefined));
  edge.configure(`http: {maxUrlLength: 4KiB}\n`, 1);
  const { writeFileSync, readFileSync } = await import('node:fs');
  const file = `${edge.folder}/edge.yaml`;
  writeFileSync(file, readFileSync(file, 'utf8').replace(/admin: \{/, `admin: {token: ${token}, `));
  edge.signal('SIGHUP');
  await until('the token', async () => ((await fetchText(edge.adminPort, '/stats')).status === 401 ? true : undefined));
  const headers = { Authorization: `Bearer ${token}` };
  await until('one worker', async () => {
    const { body } = await fetchText(edge.adminPort, '/stats', { headers });
    return JSON.parse(body).workers.length === 1 ? true : undefined;
  });
  await edge.end();
});

test('a configuration with mistakes changes nothing and is told with file, line and column', async () => {
  const edge = await startFakeEdge();
  const before = await edge.stats();
  edge.configure('cache: {memory: {size: 1KiB}}\nlgo: {}\n');
  edge.signal('SIGHUP');
  await edge.logged('nothing changes');
  await edge.logged(/"mistake":"[^"]*edge\.yaml:4:24: cache\.memory\.size: expected a size/);
  await edge.logged(/"mistake":"[^"]*edge\.yaml:5:1: unknown key lgo; did you mean log\?/);
  const after = await edge.stats();
  assert.deepEqual(pids(after), pids(before));
  assert.equal(after.generation, 1);
  await edge.end();
});

test('a configuration of any other shape changes nothing', async () => {
  const edge = await startFakeEdge({ settings: 'origins: [{name: a, url: http://a}]\n' });
  const before = await edge.stats();
  const texts = [
    'origins: {a: {url: http://a}}',
    'origins: http://a',
    'origins: [{name: a, urls: {url: http://a}}]',
    'origins: [{name: a, urls: http://a}]',
    'origins: [[{name: a}]]',
    'origins:',
    'origins: []',
    '# everything is gone',
    'origins: [{name: a, url: "http://\u0024{HOST}/"}]',
    'origins: [{name: a, url: http://a}]\ncache: {disk: {path: /proc/moovedge}}',
    'origins: [{name: a, url: http://a}]\ncache: {readAhead: []}\nfreshness: no\nlisten: 8080',
    '['.repeat(100_000),
  ];
  for (const [index, text] of texts.entries()) {
    edge.configure(`${text}\n`);
    const told = edge.log.length;
    edge.signal('SIGHUP');
    await edge.logged('nothing changes', told);
    assert.doesNotMatch(edge.log.slice(told), /a defect/, text.slice(0, 60));
    assert.equal((await fetchText(edge.port, '/')).status, 200, `${index}`);
  }
  const after = await edge.stats();
  assert.deepEqual(pids(after), pids(before));
  assert.equal(after.generation, 1);
  await edge.end();
});

test('workers that refuse to start after a reload leave the old ones serving', async () => {
  const edge = await startFakeEdge();
  const before = await edge.stats();
  edge.configure('origins: [{name: refuse-start, url: http://a}]\n');
  edge.signal('SIGHUP');
  await edge.logged('nothing changes');
  await edge.logged('"mistake":"expected a better day to start"');
  await until('the failed workers gone', async () => ((await edge.stats()).workers.length === 2 ? true : undefined));
  const after = await edge.stats();
  assert.deepEqual(pids(after), pids(before));
  assert.ok(after.ready);
  assert.equal((await fetchText(edge.port, '/')).status, 200);
  edge.configure('');
  edge.signal('SIGHUP');
  await edge.logged('"text":"reloaded"');
  assert.equal((await fetchText(edge.adminPort, '/readyz')).status, 200);
  await edge.end();
});

test('SIGUSR1 reaches every worker', async () => {
  const edge = await startFakeEdge();
  edge.signal('SIGUSR1');
  await edge.logged(/(?:logs reopened[\s\S]*?){2}/);
  await edge.end();
});

function pids({ workers }: { workers: readonly { pid: number | undefined }[] }) {
  return workers.map(({ pid }) => pid);
}
