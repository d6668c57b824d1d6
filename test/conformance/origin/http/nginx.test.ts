import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { HttpOrigin } from '../../../../src/origin/http/http-origin.js';
import { contentAt } from '../../../support/content.js';
import { httpOrigin } from '../../../support/http-origin.js';
import { freePort } from '../../../support/ports.js';
import { fetchInto } from '../../../support/recording-sink.js';

const SIZE = 3_000_000;
let folder: string;
let nginx: ChildProcess;
let origin: HttpOrigin;

/** Settles when something listens on the port. */
async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const [event] = await Promise.race([once(socket, 'connect').then(() => ['connect']), once(socket, 'error')]).catch(
      () => ['error'],
    );
    socket.destroy();
    if (event === 'connect') return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moovedge-nginx-'));
  mkdirSync(join(folder, 'root', 'dir'), { recursive: true });
  const port = await freePort();
  const config = `
    daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
    events {}
    http {
      access_log off; gzip on; gzip_types *; gzip_proxied any;
      client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
      server {
        listen 127.0.0.1:${port}; root ${folder}/root;
        location /noetag/ { alias ${folder}/root/; etag off; }
        location /noranges/ { alias ${folder}/root/; max_ranges 0; }
        location /moved/ { return 302 /$arg_to; }
        location /busy/ { return 503; }
      }
    }`;
  writeFileSync(join(folder, 'nginx.conf'), config);
  nginx = spawn('nginx', ['-p', folder, '-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')], {
    stdio: 'ignore',
  });
  await listening(port);
  origin = httpOrigin([`http://127.0.0.1:${port}`], { retries: 0 });
});
after(async () => {
  await origin.close();
  nginx.kill();
  await once(nginx, 'exit');
  rmSync(folder, { recursive: true });
});

/** Stores content of a path; `date` in seconds since 1970. */
function store(name: string, path = `/${name}`, version = 'v1', date = 1_600_000_000): void {
  writeFileSync(join(folder, 'root', name), contentAt(path, version, 0, SIZE));
  utimesSync(join(folder, 'root', name), date, date);
}

test('nginx: ranges, whole files, past the end, empty files, special characters', async () => {
  store('f');
  for (const range of [
    undefined,
    { start: 0, end: 1 },
    { start: 1_000_001, end: 2_000_000 },
    { start: SIZE - 1, end: SIZE + 100 },
  ]) {
    const sink = fetchInto(origin, { path: '/f', range });
    assert.equal(await sink.over, 'ended', sink.error?.message);
    assert.equal(sink.answer!.size, SIZE);
  }
  const outside = fetchInto(origin, { path: '/f', range: { start: SIZE, end: SIZE + 1 } });
  assert.equal(await outside.over, 'range_not_satisfiable');
  assert.equal(outside.refused!.size, SIZE);
  writeFileSync(join(folder, 'root', 'empty'), '');
  const empty = fetchInto(origin, { path: '/empty', range: { start: 0, end: 100 } });
  assert.equal(await empty.over, 'ended', empty.error?.message);
  assert.equal(empty.answer!.length, 0);
  const name = "a b+c&d#e?f%g'ü映";
  store(name, `/${encodeURIComponent(name)}`);
  assert.equal(await fetchInto(origin, { path: `/${encodeURIComponent(name)}` }).over, 'ended');
  assert.equal(await fetchInto(origin, { path: '/none' }).over, 'not_found');
  assert.equal(await fetchInto(origin, { path: '/dir/' }).over, 'forbidden');
  assert.equal(await fetchInto(origin, { path: '/busy/' }).over, 'origin_unavailable');
});

test('nginx: conditions by tag, and by date where there is no tag', async () => {
  const range = { start: 1000, end: 2000 };
  for (const path of ['/g', '/noetag/g']) {
    store('g', path, 'v1');
    const first = fetchInto(origin, { path, range });
    assert.equal(await first.over, 'ended');
    const { validator } = first.answer!;
    assert.equal(validator.etag === undefined, path !== '/g');
    const same = fetchInto(origin, { path, range, condition: { kind: 'same', validator } });
    assert.equal(await same.over, 'ended', same.error?.message);
    const unchanged = fetchInto(origin, { path, range, condition: { kind: 'changed', validator } });
    assert.equal(await unchanged.over, 'ended');
    assert.equal(unchanged.answer!.status, 304);
    // Newer, and older, as when a backup is put back.
    for (const date of [1_600_000_500, 1_500_000_000]) {
      store('g', path, 'v2', date);
      const stale = fetchInto(origin, { path, range, condition: { kind: 'same', validator } });
      assert.equal(await stale.over, 'object_changed');
      const fresh = fetchInto(origin, { path, range, condition: { kind: 'changed', validator } }, { version: 'v2' });
      assert.equal(await fresh.over, 'ended');
      assert.equal(fresh.answer!.status, 206);
    }
  }
});

test('nginx: without ranges, and with a redirect on the same host', async () => {
  store('h', '/noranges/h');
  const whole = fetchInto(origin, { path: '/noranges/h', range: { start: 1000, end: 2000 } });
  assert.equal(await whole.over, 'ended');
  assert.deepEqual([whole.answer!.status, whole.answer!.offset, whole.bytesSeen], [200, 0, SIZE]);
  const moved = fetchInto(origin, { path: '/moved/x', query: 'to=h', range: { start: 0, end: 10 } }, { keep: true });
  assert.equal(await moved.over, 'ended', moved.error?.message);
  assert.equal(moved.answer!.status, 206);
});
