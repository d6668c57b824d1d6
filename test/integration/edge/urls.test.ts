import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { Edge } from '../../support/edge.js';
import { fetchRaw } from '../../support/raw-http.js';

/** What an origin saw of a request. */
interface Seen {
  /** Target, one character per octet. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

describe('URLs, from the player to the origin', () => {
  const seen: Seen[] = [];
  let server: Server;
  let folder: string;
  let edge: Edge;

  before(async () => {
    // Each URL is a file of its own, whose bytes are the URL.
    server = createServer((request, response) => {
      seen.push({ url: request.url!, headers: request.headers });
      const fields: Record<string, string> = { 'Content-Type': 'video/mp4', 'Cache-Control': 'max-age=600' };
      if (request.url!.includes('?vary')) fields.Vary = 'X-Tenant';
      if (request.url === '/from') {
        // Raw octets of UTF-8, as servers write them.
        response.writeHead(302, { Location: Buffer.from('/ziel/film-ä 1.mp4').toString('latin1') }).end();
        return;
      }
      const body = Buffer.from(`${request.url}\n${request.headers['x-tenant'] ?? ''}`, 'latin1');
      response.writeHead(200, { ...fields, ETag: '"1"', 'Content-Length': body.length }).end(body);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    folder = mkdtempSync(join(tmpdir(), 'moovedge-urls-'));
    mkdirSync(join(folder, 'a b'));
    writeFileSync(Buffer.concat([Buffer.from(join(folder, 'caf')), Buffer.from([0xe9])]), 'latin1');
    writeFileSync(join(folder, 'a b', 'c+d.mp4'), 'plus');
    edge = await Edge.start({
      origin: `[{name: main, url: "${url}", forward: [X-Tenant]},
        {name: token, url: "${url}", path: /token, query: {key: [id], forward: [token]}},
        {name: folder, url: "${folder}", path: /folder}]`,
    });
  });
  after(async () => {
    await edge.end();
    server.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    seen.length = 0;
  });

  const body = async (target: string, fields: Record<string, string> = {}) => {
    const { status, body, fields: head } = await fetchRaw(edge.port, 'GET', target, fields);
    return { status, text: body.toString('latin1'), cache: head['cache-status'] };
  };

  it('any octets: refused, or the origin sees exactly them, and nobody gets the bytes of another URL', async () => {
    const octet = fc.integer({ min: 0x21, max: 0xff });
    const piece = fc.oneof(
      { weight: 2, arbitrary: octet.map(code => String.fromCharCode(code)) },
      { weight: 3, arbitrary: octet.map(code => `%${code.toString(16)}`) },
      {
        weight: 5,
        arbitrary: fc.constantFrom(
          '/',
          '//',
          '.',
          '..',
          '%2e',
          '%2E',
          '%2f',
          '%2F',
          '%5c',
          '%41',
          'A',
          ';',
          '%00',
          '%',
          '\xc3\xa9',
        ),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 8 }), async pieces => {
        const path = `/${pieces.join('')}`.replace(/[?#]/g, '');
        seen.length = 0;
        const { status, text } = await body(path);
        if (status === 400) {
          assert.equal(seen.length, 0);
          return;
        }
        assert.equal(status, 200, path);
        const sent = path.replace(/[^\x21-\x7e]/g, raw => `%${raw.charCodeAt(0).toString(16).toUpperCase()}`);
        assert.equal(text, `${sent}\n`);
        for (const { url } of seen) assert.equal(url, sent);
      }),
      { numRuns: 300 },
    );
  });

  it('queries: part of the key, sent on without being so, or neither', async () => {
    assert.equal((await body('/token/f?id=1&token=a&x=1')).text, '/f?id=1&token=a\n');
    assert.equal((await body('/token/f?x=2&token=b&id=1')).text, '/f?id=1&token=a\n');
    assert.equal((await body('/token/f?id=2&token=b')).text, '/f?id=2&token=b\n');
    assert.deepEqual(
      seen.map(({ url }) => url),
      ['/f?id=1&token=a', '/f?id=2&token=b'],
    );
    // A purge finds them under the same keys.
    const response = await fetch(`${edge.admin}/purge`, {
      method: 'POST',
      body: '{"urls": ["/token/f?token=z&id=1"]}',
    });
    assert.equal(response.status, 200, await response.text());
    assert.equal((await body('/token/f?token=c&id=1')).text, '/f?token=c&id=1\n');
    assert.match((await body('/token/f?id=2')).cache!, /hit/);
  });

  it('directories: names are octets, queries and escapes make no other file', async () => {
    assert.equal((await body('/folder/caf%E9')).text, 'latin1');
    assert.equal((await body('/folder/a%20b/c+d.mp4')).text, 'plus');
    for (const target of ['/folder/a%20%62/c%2bd%2Emp4', '/fol%64er/a%20b/c+d.mp4?x=1', '/folder/a%20b/c+d.mp4?y']) {
      assert.match((await body(target)).cache!, /hit/, target);
    }
    for (const target of [
      '/folder//a%20b/c+d.mp4',
      '/folder/a%20b%2fc+d.mp4',
      '/folder/a%5cb',
      '/folder/%c3%a9',
      '/folder/',
    ]) {
      assert.equal((await body(target)).status, 404, target);
    }
  });

  it('fields that go on are sent at once, so that what Vary names is fetched once', async () => {
    const target = '/varied?vary';
    const ask = (tenant: string) => body(target, { 'X-Tenant': tenant });
    const [one, two] = await Promise.all([ask('one'), ask('two')]);
    assert.deepEqual([one.text, two.text], [`${target}\none`, `${target}\ntwo`]);
    assert.equal(seen.length, 2);
    assert.match((await ask('one')).cache!, /hit/);
    assert.match((await ask('two')).cache!, /hit/);
    assert.equal((await body(target)).text, `${target}\n`);
    assert.equal(seen.length, 3);
  });

  it('follows a redirect in raw UTF-8', async () => {
    assert.equal((await body('/from')).text, '/ziel/film-%C3%A4%201.mp4\n');
  });
});
