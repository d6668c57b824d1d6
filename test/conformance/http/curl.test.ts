import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { contentAt } from '../../support/content.js';
import { FakeObject } from '../../support/fake-content.js';
import { startEdge } from '../../support/http-edge.js';

/** curl as a client that nobody here wrote. */
const hasCurl = spawnSync('curl', ['--version']).status === 0;
const bytes = contentAt('/film.mp4', 'v1', 0, 700_000);
const { content, port } = await startEdge();
content.paths.set('/film.mp4', new FakeObject(bytes, { etag: '"film"' }));
const folder = mkdtempSync(join(tmpdir(), 'moovedge-curl-'));
after(() => rmSync(folder, { recursive: true }));

/** Runs curl on the film; returns the body and what `-w` and `-D` tell. */
async function curl(...options: string[]): Promise<{ body: Buffer; status: string; head: string }> {
  const [body, head] = [join(folder, 'body'), join(folder, 'head')];
  writeFileSync(body, '');
  const { stdout } = await promisify(execFile)('curl', [
    '-sS',
    '-o',
    body,
    '-D',
    head,
    '-w',
    '%{http_code}',
    ...options,
    `http://127.0.0.1:${port}/film.mp4`,
  ]);
  return { body: readFileSync(body), status: stdout, head: readFileSync(head, 'latin1') };
}

suite('curl', { skip: hasCurl ? false : 'curl is not installed' }, () => {
  test('downloads the file', async () => {
    const { body, status } = await curl();
    assert.equal(status, '200');
    assert.ok(body.equals(bytes));
  });

  test('asks for one range, a suffix, and the rest', async () => {
    for (const [range, expected] of [
      ['100-299', bytes.subarray(100, 300)],
      ['-77', bytes.subarray(-77)],
      ['650000-', bytes.subarray(650_000)],
    ] as const) {
      const { body, status } = await curl('-r', range);
      assert.equal(status, '206');
      assert.ok(body.equals(expected));
    }
  });

  test('asks for several ranges', async () => {
    const { body, status, head } = await curl('-r', '0-99,300000-300099,-10');
    assert.equal(status, '206');
    const boundary = /boundary=([\w-]+)/.exec(head)![1];
    const parts = [
      [0, 100],
      [300_000, 300_100],
      [699_990, 700_000],
    ].map(([start, end]) =>
      Buffer.concat([
        Buffer.from(
          `--${boundary}\r\nContent-Type: video/mp4\r\nContent-Range: bytes ${start}-${end! - 1}/700000\r\n\r\n`,
        ),
        bytes.subarray(start, end),
        Buffer.from('\r\n'),
      ]),
    );
    assert.deepEqual(body, Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]));
  });

  test('resumes a download', async () => {
    const half = join(folder, 'half');
    writeFileSync(half, bytes.subarray(0, 333_333));
    await promisify(execFile)('curl', ['-sS', '-C', '-', '-o', half, `http://127.0.0.1:${port}/film.mp4`]);
    assert.ok(readFileSync(half).equals(bytes));
  });

  test('sees the head only', async () => {
    const { head, status } = await curl('-I');
    assert.equal(status, '200');
    assert.match(head, /^content-length: 700000\r$/im);
  });

  test('revalidates by entity tag and by date', async () => {
    assert.equal((await curl('-H', 'If-None-Match: "film"')).status, '304');
    assert.equal((await curl('-z', 'Thu, 02 Jan 2025 03:04:05 GMT')).status, '304');
    assert.equal((await curl('-z', 'Wed, 01 Jan 2025 00:00:00 GMT')).status, '200');
  });

  test('sends 15 KiB of cookies', async () => {
    assert.equal((await curl('-H', `Cookie: ${'c'.repeat(15_000)}`, '-r', '0-0')).status, '206');
  });

  test('sends its path as it is', async () => {
    const { stdout } = await promisify(execFile)('curl', [
      '-sS',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '--path-as-is',
      `http://127.0.0.1:${port}/x/../film.mp4`,
    ]);
    assert.equal(stdout, '400');
  });

  test('reuses its connection', async () => {
    const url = `http://127.0.0.1:${port}/film.mp4`;
    const { stdout } = await promisify(execFile)('curl', [
      '-sS',
      '-r',
      '0-9',
      '-o',
      '/dev/null',
      '-o',
      '/dev/null',
      '-w',
      '%{num_connects}\n',
      url,
      url,
    ]);
    assert.equal(stdout, '1\n0\n');
  });
});
