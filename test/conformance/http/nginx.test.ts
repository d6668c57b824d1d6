import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import fc from 'fast-check';
import { AccessRules } from '../../../src/access/access-rules.js';
import { contentAt } from '../../support/content.js';
import { FakeObject } from '../../support/fake-content.js';
import { startEdge } from '../../support/http-edge.js';
import { freePort } from '../../support/ports.js';
import { fetchRaw, type RawAnswer, RawConnection } from '../../support/raw-http.js';

/**
 * Nobody here wrote nginx: its answers to the same requests for the same file are the expectation. Left out is what
 * nginx does otherwise than RFC 9110 and the contract: it answers a malformed Range and a malformed date with an error,
 * heeds Range in HEAD, and lets If-Modified-Since overrule If-None-Match.
 */
const hasNginx = spawnSync('nginx', ['-v']).status === 0;

const bytes = contentAt('/film.mp4', 'v1', 0, 600_000);
const folder = mkdtempSync(join(tmpdir(), 'moovedge-nginx-'));
const nginxPort = await freePort();
const { content, port: edgePort } = await startEdge();
const SECRET = 'a secret, $ and ü';
const signed = {
  scheme: 'secure_link_md5',
  template: '{expires}{path} {secret}',
  signature: 'md5',
  expires: 'expires',
  secret: SECRET,
} as const;
/** Says of each URI what stands in it. */
const doorman = createServer((req, res) => {
  res.writeHead(Number(/\d{3}/.exec(String(req.headers['x-original-uri']))?.[0] ?? 500)).end();
});
await new Promise<void>(resolve => doorman.listen(0, '127.0.0.1', resolve));
const doormanUrl = `http://127.0.0.1:${(doorman.address() as AddressInfo).port}/may`;
const asked = { url: doormanUrl, cache: 30_000, timeout: 60_000, failure: 'closed', forward: [] } as const;
const access = new AccessRules([
  { path: '/paid/', signed },
  { path: '/asked/', callback: asked },
  { path: '/near/', addresses: { allow: ['127.0.0.0/8'], deny: ['127.0.0.2'] } },
  { path: '/far/', addresses: { allow: ['192.0.2.0/24'], deny: [] } },
]);
const { port: accessPort } = await startEdge({ access });
let nginx: ChildProcess | undefined;

async function startNginx(): Promise<void> {
  mkdirSync(join(folder, 'root'));
  writeFileSync(join(folder, 'root/film.mp4'), bytes);
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
     events {}
     http { geo $dollar { default '$'; } access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       server { listen 127.0.0.1:${nginxPort}; root ${folder}/root; location /paid/ { secure_link $arg_md5,$arg_expires; secure_link_md5 "$secure_link_expires$uri ${SECRET.replace('$', '$dollar')}"; if ($secure_link = '') { return 403; } if ($secure_link = '0') { return 403; } return 404; } location /asked/ { auth_request /may; } location = /may { internal; proxy_pass ${doormanUrl}; proxy_set_header X-Original-URI $request_uri; } location /near/ { deny 127.0.0.2; allow 127.0.0.0/8; deny all; } location /far/ { allow 192.0.2.0/24; deny all; } types { video/mp4 mp4; } if_modified_since before; } }`,
  );
  nginx = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (let tries = 0; ; tries++) {
    try {
      (await RawConnection.open(nginxPort)).socket.destroy();
      return;
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }
}

/**
 * What must be alike: status, ranges, validators, length and bytes; the boundary of a multipart body is each server's
 * own.
 */
function essence({ status, fields, body }: RawAnswer): object {
  const boundary = /boundary=(.*)$/.exec(fields['content-type'] ?? '')?.[1];
  if (status >= 400) return { status, contentRange: fields['content-range'] };
  if (boundary === undefined) {
    const {
      'content-range': range,
      'content-length': length,
      'content-type': type,
      etag,
      'last-modified': modified,
    } = fields;
    return {
      status,
      range,
      length,
      type,
      etag,
      modified: status === 304 ? undefined : modified,
      body: body.toString('base64'),
    };
  }
  const parts = body.toString('latin1').split(`--${boundary}`).slice(1, -1);
  return {
    status,
    etag: fields.etag,
    parts: parts.map(part => part.replace(/^.*?\r\n\r\n/s, head => head.toLowerCase())),
  };
}

async function assertAlike(method: string, fields: Record<string, string>): Promise<void> {
  const [ours, theirs] = await Promise.all([
    fetchRaw(edgePort, method, '/film.mp4', fields),
    fetchRaw(nginxPort, method, '/film.mp4', fields),
  ]);
  assert.deepEqual(essence(ours), essence(theirs), JSON.stringify(fields));
}

suite("answers are nginx's", { skip: hasNginx ? false : 'nginx is not installed' }, () => {
  let etag = '';
  let modified = '';
  const later = (seconds: number) => new Date(Date.parse(modified) + seconds * 1000).toUTCString();

  before(async () => {
    await startNginx();
    const { fields } = await fetchRaw(nginxPort, 'HEAD', '/film.mp4');
    etag = fields.etag!;
    modified = fields['last-modified']!;
    content.paths.set('/film.mp4', new FakeObject(bytes, { etag, lastModified: Date.parse(modified), fields: [] }));
    // The file's date is a strong validator only once it is a second old.
    await new Promise(resolve => setTimeout(resolve, 1100));
  });

  after(() => {
    nginx?.kill();
    doorman.close();
    doorman.closeAllConnections();
    rmSync(folder, { recursive: true });
  });

  test('whole files', async () => {
    await assertAlike('GET', {});
    await assertAlike('HEAD', {});
  });

  test('ranges', async () => {
    for (const range of [
      'bytes=0-0',
      'bytes=0-',
      'bytes=599999-',
      'bytes=599999-700000',
      'bytes=600000-',
      'bytes=600000-600001',
      'bytes=-1',
      'bytes=-600000',
      'bytes=-700000',
      'bytes=262143-262144',
      'bytes',
      'items=0-1',
      'bytes=0-9,20-29',
      'bytes=20-29,0-9',
      'bytes=0-9 , 20-29',
      'bytes=0-9,600000-',
      'bytes=-5,0-4',
      'bytes=700000-,800000-',
      'BYTES=0-1',
    ]) {
      await assertAlike('GET', { Range: range });
    }
  });

  test('any disjoint ranges', async () => {
    const places = fc.uniqueArray(fc.nat(bytes.length - 1), { minLength: 2, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(places, async cuts => {
        const sorted = cuts.sort((a, b) => a - b);
        const ranges: string[] = [];
        for (let i = 0; i + 1 < sorted.length; i += 2) ranges.push(`${sorted[i]}-${sorted[i + 1]! - 1}`);
        // Ranges that touch are one part here and two at nginx.
        fc.pre(sorted.every((place, i) => i === 0 || place > sorted[i - 1]! + 1));
        await assertAlike('GET', { Range: `bytes=${ranges.join(',')}` });
      }),
      { numRuns: 40 },
    );
  });

  test('conditions', async () => {
    const tags = [etag, `W/${etag}`, '"other"', `"other", ${etag}`, '*', '"a"'];
    const dates = [modified, later(-1), later(1), new Date(0).toUTCString()];
    const requests: Record<string, string>[] = [];
    for (const tag of tags) {
      requests.push(
        { 'If-None-Match': tag },
        { 'If-Match': tag },
        { 'If-Match': tag, Range: 'bytes=0-9' },
        { 'If-None-Match': tag, 'If-Modified-Since': modified },
      );
      if (tag !== '*' && !tag.includes(',')) requests.push({ 'If-Range': tag, Range: 'bytes=0-9' });
    }
    for (const date of dates) {
      requests.push({ 'If-Unmodified-Since': date });
      requests.push({ 'If-Range': date, Range: 'bytes=0-9' });
      requests.push({ 'If-None-Match': '"other"', 'If-Modified-Since': date });
      requests.push({ 'If-Match': '"other"', 'If-None-Match': etag, 'If-Modified-Since': date });
      requests.push({ 'If-Modified-Since': date });
    }
    for (const fields of requests) await assertAlike('GET', fields);
  });

  test('who is let in by asking another server, and by address', async () => {
    const isIn = async (port: number, target: string) => {
      const { status } = await fetchRaw(port, 'GET', target);
      // What is let in is not there.
      assert.ok([404, 403, 401, 500].includes(status), `${status}`);
      return status === 404;
    };
    const targets = ['200', '204', '299', '301', '302', '400', '401', '403', '404', '429', '500', '502', '503'].map(
      status => `/asked/${status}.mp4`,
    );
    for (const target of [...targets, '//asked/403', '/%61sked/401', '/asked/204?x', '/near/a', '/far/a', '//far/a'])
      assert.equal(await isIn(accessPort, target), await isIn(nginxPort, target), target);
  });

  test('signed URLs', async () => {
    const later = Math.floor(Date.now() / 1000) + 3600;
    const sign = (uri: string, expires: string | number = later) =>
      createHash('md5').update(`${expires}${uri} ${SECRET}`).digest('base64url');
    let letIn = 0;
    const same = async (target: string) => {
      const statuses = await Promise.all(
        [accessPort, nginxPort].map(async port => (await fetchRaw(port, 'GET', target)).status),
      );
      assert.equal(statuses[0], statuses[1], target);
      // What is let in is not there.
      if (statuses[0] === 404) letIn++;
      return statuses[0];
    };
    const url = (md5: string, expires: string | number = later) => `/paid/a.mp4?md5=${md5}&expires=${expires}`;
    const good = sign('/paid/a.mp4');
    assert.equal(await same(url(good)), 404);
    assert.equal(await same(url(sign('/paid/a.mp4', 1), 1)), 403);
    for (const target of [
      ...[
        '/paid/a.mp4',
        '/paid/',
        `/paid/a.mp4?md5=${good}`,
        `/paid/a.mp4?expires=${later}`,
        '/paid/a.mp4?md5&expires',
      ],
      ...[
        `/paid/b.mp4?md5=${good}&expires=${later}`,
        `/free/a.mp4?md5=${good}`,
        `/%70aid/a.mp4?md5=${good}&expires=${later}`,
      ],
      ...[`//paid/a.mp4?md5=${good}&expires=${later}`, '//paid/a.mp4', '/paid%2Fa.mp4', '/%70aid/a.mp4'],
      ...[`/paid/a.mp4?x=1&expires=${later}&y&md5=${good}`, `/paid/a.mp4?md5=${good}&md5=x&expires=${later}`],
      ...[`/paid/a.mp4?md5=x&md5=${good}&expires=${later}`, `/paid/a.mp4?amd5=${good}&expires=${later}`],
      ...[url(`${good}=`), url(`${good}==`), url(good.slice(1)), url(`${good}A`), url(good.toLowerCase()), url('')],
      ...['0', '00', '-1', '1e9', '0x7fffffff', ' 1', '', '999999999999999999', '9999999999999999999999'].map(expires =>
        url(sign('/paid/a.mp4', expires), encodeURIComponent(expires)),
      ),
      url(sign('/paid/a.mp4', `0${later}`), `0${later}`),
    ])
      await same(target);
    const character = fc.constantFrom(
      'a',
      'Z',
      '0',
      '.',
      '-',
      '_',
      '~',
      ' ',
      'ü',
      '€',
      '%',
      '+',
      '&',
      '=',
      '?',
      '#',
      ';',
      "'",
    );
    const segment = fc
      .string({ unit: character, minLength: 1, maxLength: 6 })
      .filter(text => !/^\.+(?:;|$)/.test(text));
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.boolean(), async (segments, isRight) => {
        const path = `/paid/${segments.map(encodeURIComponent).join('/')}`;
        const md5 = sign(`/paid/${segments.join('/')}${isRight ? '' : 'x'}`);
        assert.equal(await same(`${path}?md5=${md5}&expires=${later}`), isRight ? 404 : 403);
      }),
      { numRuns: 60 },
    );
    assert.ok(letIn > 10, `${letIn} were let in`);
  });
});
