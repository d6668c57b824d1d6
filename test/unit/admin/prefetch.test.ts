import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type PrefetchProgress, prefetchUrls } from '../../../src/admin/prefetch.js';

for (const [host, name] of [
  ['::', '[::1]'],
  ['::1', '[::1]'],
  ['0.0.0.0', '127.0.0.1'],
  ['127.0.0.1', '127.0.0.1'],
] as const) {
  test(`an edge that listens on ${host} is asked by a Host field that is one`, async () => {
    const hosts: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      hosts.push(request.headers.host);
      response.end('film');
    });
    await new Promise<void>(resolve => server.listen(0, host, resolve));
    const { port } = server.address() as AddressInfo;
    const lines: PrefetchProgress[] = [];
    const urls = [{ host: undefined, path: '/a.mp4', query: '' }];
    const { signal } = new AbortController();
    await prefetchUrls(
      { scheme: 'http', host, port, key: '' },
      { urls, seconds: undefined, hls: false, rate: undefined },
      line => lines.push(line),
      signal,
    );
    server.close();
    assert.equal(lines.at(-1)?.end, 'ok');
    assert.deepEqual(hosts, [`${name}:${port}`]);
  });
}
