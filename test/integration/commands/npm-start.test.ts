import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fetchText } from '../../support/fetch-text.js';
import { freePorts } from '../../support/ports.js';
import { isAlive, processTree } from '../../support/processes.js';
import { until } from '../../support/until.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'moovedge-start-'));
const started = new Set<ChildProcess>();
after(() => {
  for (const child of started)
    for (const pid of processTree(child.pid!)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  rmSync(folder, { recursive: true });
});

async function npmStart(args: readonly string[] = []) {
  const [port = 0, adminPort = 0] = await freePorts(2);
  const flags = [
    '--port',
    String(port),
    '--admin-port',
    String(adminPort),
    '--memory',
    '64MiB',
    '--memory-file',
    path.join(folder, `${port}.cache`),
  ];
  const child = spawn('npm', ['start', '--', ...args, ...flags, '--workers', '2'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.add(child);
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', text => {
    errors += text;
  });
  const exited = new Promise<number | null>(resolve => child.on('exit', resolve));
  await until('URLs to try', () => {
    if (child.exitCode !== null) assert.fail(`npm start ended: ${output}${errors}`);
    return output.includes('Dashboard:') ? true : undefined;
  });
  return { child, port, adminPort, exited, output: () => output, pids: processTree(child.pid!).slice(1) };
}

test('npm start serves the bundled clips and prints URLs that work; SIGTERM to npm ends all of it with 0', async () => {
  const { child, port, exited, output, pids } = await npmStart();
  assert.ok(pids.length >= 3, `${pids.length} processes`);
  const urls = output().match(/http:\/\/\S+/g) ?? [];
  assert.ok(urls.some(url => /\.mp4\?start=/.test(url)) && urls.some(url => /\/player\?u=/.test(url)), output());
  for (const url of urls) {
    const { status } = await fetchText(Number(new URL(url).port), `${new URL(url).pathname}${new URL(url).search}`);
    assert.equal(status, 200, url);
  }
  // The page of the demo player has another origin, and fetches playlists and segments itself.
  const playlist = await fetch(`http://127.0.0.1:${port}/bframes-faststart.mp4/hls.m3u8`);
  assert.match(await playlist.text(), /^#EXTM3U/);
  assert.equal(playlist.headers.get('access-control-allow-origin'), '*');
  child.kill('SIGTERM');
  assert.equal(await exited, 0);
  assert.deepEqual(pids.filter(isAlive), []);
  await assert.rejects(fetchText(port, '/'), { code: 'ECONNREFUSED' });
});

test('SIGTERM to the edge itself, and SIGINT to all of a terminal’s processes, end it with 0 too', async () => {
  const first = await npmStart([path.join(root, 'src/samples')]);
  const edge = first.pids.find(pid => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'moovedge');
  process.kill(edge!, 'SIGTERM');
  assert.equal(await first.exited, 0);
  assert.deepEqual(first.pids.filter(isAlive), []);

  const second = await npmStart();
  for (const pid of [second.child.pid!, ...second.pids]) process.kill(pid, 'SIGINT');
  assert.equal(await second.exited, 0);
  assert.deepEqual(second.pids.filter(isAlive), []);
});
