import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { defaultConfig } from '../../../src/config/schema.js';
import { withConditions } from '../../../src/pipeline/storage/conditional-check.js';
import { removeAll } from '../../../src/pipeline/storage/object-storage.js';
import { S3Storage } from '../../../src/pipeline/storage/s3-storage.js';

/** s3rver has no types. */
const S3rver = createRequire(import.meta.url)('s3rver') as new (
  options: object,
) => {
  run(): Promise<{ port: number }>;
  close(): Promise<void>;
};

const PLACE = {
  bucket: 'films',
  prefix: 'main/of',
  region: 'us-east-1',
  pathStyle: true,
  credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
};

const folder = mkdtempSync(join(tmpdir(), 'moovedge-s3-'));
let server: InstanceType<typeof S3rver>;
let storage: S3Storage;

before(async () => {
  server = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: join(folder, 'store'),
    configureBuckets: [{ name: 'films', configs: [] }],
  });
  const { port } = await server.run();
  storage = new S3Storage({ ...PLACE, endpoint: `http://127.0.0.1:${port}` });
});

after(async () => {
  storage.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

it('a bucket holds objects of bytes and of files, in parts when they are large, and lists and removes them', async () => {
  assert.equal(await storage.put('a/b/1', Buffer.from('hello')), true);
  assert.equal(await storage.head('a/b/1'), 5);
  assert.equal(String(await storage.get('a/b/1')), 'hello');
  assert.equal(await storage.head('a/none'), undefined);
  assert.equal(await storage.get('a/none'), undefined);
  const file = join(folder, 'file');
  const { signal } = new AbortController();
  for (const size of [70_000, 70 * 1024 * 1024]) {
    writeFileSync(file, Buffer.alloc(size, 7));
    await storage.putFile(`a/${size}`, file, 'video/mp4', signal);
    assert.equal(await storage.head(`a/${size}`), size);
  }
  const keys: string[] = [];
  for await (const key of storage.list('a/')) keys.push(key);
  assert.deepEqual(keys.sort(), ['a/70000', 'a/73400320', 'a/b/1']);
  const folders: string[] = [];
  for await (const name of storage.folders('a/')) folders.push(name);
  assert.deepEqual(folders, ['b']);
  await removeAll(storage, 'a/');
  assert.equal(await storage.head('a/b/1'), undefined);
});

it('a store that overwrites what it is asked to keep is refused', async () => {
  // This one knows no If-None-Match.
  await assert.rejects(withConditions(storage, defaultConfig()), /expected a store that heeds If-None-Match/);
});

it('a store that can’t be reached is told by name', async () => {
  const away = new S3Storage({ ...PLACE, prefix: '', endpoint: 'http://127.0.0.1:1' });
  await assert.rejects(away.head('a'), { code: 'origin_unavailable', message: /^storage: s3:\/\/films\/ fails/ });
  away.close();
});

it('parts that dead writers have left are thrown away by their age, on all pages of a listing', async () => {
  const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
  const upload = (key: string, hours: number) =>
    `<Upload><Key>main/of/${key}</Key><UploadId>id-${key}</UploadId><Initiated>${hoursAgo(hours)}</Initiated></Upload>`;
  const pages = [
    `<IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker><NextUploadIdMarker>id-b</NextUploadIdMarker>
      ${upload('a', 25)}${upload('b', 23)}`,
    `<IsTruncated>false</IsTruncated>${upload('c', 1)}${upload('d', 100)}`,
  ];
  const asked: string[] = [];
  const store = createServer((request, response) => {
    const url = new URL(request.url!, 'http://store');
    if (request.method === 'DELETE') asked.push(`${url.pathname} ${url.searchParams.get('uploadId')}`);
    const page = pages[url.searchParams.get('key-marker') === 'b' ? 1 : 0];
    response.writeHead(request.method === 'DELETE' ? 204 : 200, { 'Content-Type': 'application/xml' });
    response.end(request.method === 'DELETE' ? '' : `<ListMultipartUploadsResult>${page}</ListMultipartUploadsResult>`);
  });
  store.listen(0, '127.0.0.1');
  await once(store, 'listening');
  const swept = new S3Storage({ ...PLACE, endpoint: `http://127.0.0.1:${(store.address() as AddressInfo).port}` });
  await swept.sweep(24 * 3_600_000);
  swept.close();
  store.close();
  assert.deepEqual(asked, ['/films/main/of/a id-a', '/films/main/of/d id-d']);
});
