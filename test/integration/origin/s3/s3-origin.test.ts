import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { AwsClient } from 'aws4fetch';
import type { HttpOrigin } from '../../../../src/origin/http/http-origin.js';
import { createS3Origin, type S3OriginOptions } from '../../../../src/origin/s3/s3-origin.js';
import { type Credentials, S3Signer } from '../../../../src/origin/s3/s3-signer.js';
import { contentAt } from '../../../support/content.js';
import { FaultOrigin, faults } from '../../../support/fault-origin.js';
import { httpOptions } from '../../../support/http-origin.js';
import { fetchInto } from '../../../support/recording-sink.js';

/** s3rver has no types. */
const S3rver = createRequire(import.meta.url)('s3rver') as new (
  options: object,
) => {
  run(): Promise<{ port: number }>;
  close(): Promise<void>;
};

const KEYS: Credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
const SIZE = 700_000;
let folder: string;
let store: InstanceType<typeof S3rver>;
let endpoint: string;
let server: FaultOrigin;
const origins: HttpOrigin[] = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moovedge-s3-'));
  store = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: folder,
    configureBuckets: [{ name: 'films' }],
  });
  endpoint = `http://127.0.0.1:${(await store.run()).port}`;
  server = await FaultOrigin.start();
});
after(async () => {
  await Promise.all(origins.map(origin => origin.close()));
  await server.close();
  await store.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  server.heal();
  server.forget();
});

function open(options: Partial<S3OriginOptions> = {}): HttpOrigin {
  const origin = createS3Origin({
    ...httpOptions(),
    buckets: [{ bucket: 'films', prefix: '', weight: 1 }],
    endpoint,
    credentials: { keys: KEYS, env: {}, home: folder },
    ...options,
  });
  origins.push(origin);
  return origin;
}

async function put(key: string, body: Buffer): Promise<void> {
  const aws = new AwsClient({ accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER', service: 's3', region: 'us-east-1' });
  const path = key
    .split('/')
    .map(part => encodeURIComponent(part).replace(/[!'()*]/g, escape))
    .join('/');
  const response = await aws.fetch(`${endpoint}/films/${path}`, { method: 'PUT', body: new Uint8Array(body) });
  assert.equal(response.status, 200, await response.text());
}

test('s3rver: ranges, conditions, prefixes, missing objects', async () => {
  await put('a/b.mp4', contentAt('/a/b.mp4', 'v1', 0, SIZE));
  const origin = open();
  const sink = fetchInto(origin, { path: '/a/b.mp4', range: { start: 1000, end: 600_000 } });
  assert.equal(await sink.over, 'ended', sink.error?.message);
  assert.deepEqual([sink.answer!.status, sink.answer!.size, sink.bytesSeen], [206, SIZE, 599_000]);
  const { validator } = sink.answer!;
  assert.match(validator.etag!, /^"[0-9a-f]{32}"$/);
  const prefixed = open({ buckets: [{ bucket: 'films', prefix: 'a', weight: 1 }] });
  const short = fetchInto(prefixed, { path: '/b.mp4', range: { start: 0, end: 10 } }, { keep: true });
  assert.equal(await short.over, 'ended');
  assert.deepEqual(Buffer.concat(short.kept), contentAt('/a/b.mp4', 'v1', 0, 10));
  assert.equal(await fetchInto(origin, { path: '/a/none.mp4' }).over, 'not_found');
  const outside = fetchInto(origin, { path: '/a/b.mp4', range: { start: SIZE, end: SIZE + 1 } });
  assert.equal(await outside.over, 'range_not_satisfiable');
  assert.equal(outside.refused!.size, SIZE);
  const same = fetchInto(origin, {
    path: '/a/b.mp4',
    range: { start: 0, end: 10 },
    condition: { kind: 'same', validator },
  });
  assert.equal(await same.over, 'ended');
  const unchanged = fetchInto(origin, { path: '/a/b.mp4', condition: { kind: 'changed', validator } });
  assert.equal(await unchanged.over, 'ended');
  assert.equal(unchanged.answer!.status, 304);
  await put('a/b.mp4', contentAt('/a/b.mp4', 'v2', 0, SIZE));
  const changed = fetchInto(origin, {
    path: '/a/b.mp4',
    range: { start: 0, end: 10 },
    condition: { kind: 'same', validator },
  });
  assert.equal(await changed.over, 'object_changed');
});

test('s3rver: keys with every kind of character', async () => {
  const origin = open();
  for (const key of ["a b+c&d=e;f,g:h@i$j!k'l(m)n*o~p", 'ünï/çødé/映画.mp4', '100%/[x]{y}^|`"<z>', '#1?2', '😀']) {
    const body = Buffer.from(`this is ${key}`);
    await put(key, body);
    // As players send them: with the least that must be encoded, and with all that may be.
    const paths = [
      `/${key.split('/').map(encodeURIComponent).join('/')}`,
      `/${[...Buffer.from(key)].map(byte => (byte === 0x2f ? '/' : `%${byte.toString(16).padStart(2, '0')}`)).join('')}`,
    ];
    for (const path of paths) {
      const sink = fetchInto(origin, { path }, { keep: true });
      assert.equal(await sink.over, 'ended', `${path} ${sink.error?.message}`);
      assert.deepEqual(Buffer.concat(sink.kept), body);
    }
  }
});

test('s3rver: wrong keys are not taken for a forbidden or missing object', async () => {
  const lines: object[] = [];
  const log = { ...httpOptions().log, error: (fields: object) => void lines.push(fields) };
  const keys = { accessKeyId: 'NOBODY', secretAccessKey: 'S3RVER' };
  const origin = open({ credentials: { keys, env: {}, home: folder }, log });
  const sink = fetchInto(origin, { path: '/a/b.mp4' });
  assert.equal(await sink.over, 'origin_unavailable');
  assert.deepEqual(lines, [{ code: 'InvalidAccessKeyId' }]);
});

/** A store that only the fault origin plays, for what s3rver can't do. */
function openFake(options: Partial<S3OriginOptions> = {}): HttpOrigin {
  return open({ endpoint: server.url, ...options });
}

/** The signature that a request ought to bear. */
async function rightSignature(index: number, credentials: Credentials): Promise<string> {
  const { headers, path, query } = server.requests[index]!;
  const date = headers['x-amz-date']!.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z');
  const signed = await new S3Signer('us-east-1').sign(`${server.url}${path}?${query}`, credentials, Date.parse(date));
  return signed.authorization!;
}

test('what is sent is what was signed, and no field of the player is sent on', async () => {
  const origin = openFake();
  server.put('/films/a%20b%2Bc', { size: 1000 });
  const fields = { authorization: 'Bearer player', 'x-amz-acl': 'public-read', cookie: 'a=b' };
  const sink = fetchInto(origin, { path: '/a%20b+c', query: 'versionId=a+b%2fc&versionId=2', fields }, { keep: true });
  assert.equal(await sink.over, 'ended');
  const { headers, query } = server.requests[0]!;
  // Keys and queries in the one form that is signed. What may be asked at all is for the origin's query rules.
  assert.equal(query, 'versionId=a%2Bb%2Fc');
  assert.equal(headers.authorization, await rightSignature(0, KEYS));
  assert.deepEqual([headers['x-amz-acl'], headers.cookie], [undefined, undefined]);
  server.forget();
  for (const path of ['/', '/a/../../b', '/a/%2e%2e/b', '/a%2f..%2fb', '/%', '/caf%e9', '/a%00']) {
    assert.equal(await fetchInto(origin, { path }).over, 'not_found', path);
  }
  assert.equal(server.requests.length, 0);
  // Keys may hold empty segments, and an escaped slash is one of the key.
  server.put('/films//a//b', { size: 1000 });
  for (const path of ['//a//b', '/%2fa%2F/b']) {
    assert.equal(await fetchInto(origin, { path }, { keep: true }).over, 'ended', path);
  }
});

test('a redirect to a listed host is signed anew for it', async () => {
  const other = await FaultOrigin.start();
  other.put('/films/f', { size: 1000 });
  server.fault(faults.redirect(`${other.url}/films/f`, 307));
  const sink = fetchInto(
    openFake({ redirects: { mode: 'follow', hosts: ['127.0.0.1'], max: 1 } }),
    { path: '/f' },
    { keep: true },
  );
  assert.equal(await sink.over, 'ended');
  assert.notEqual(other.requests[0]!.headers.authorization, server.requests[0]!.headers.authorization);
  await other.close();
});

const xml = (code: string, more = '') => `<?xml version="1.0"?><Error><Code>${code}</Code>${more}</Error>`;

test('XML error codes', async () => {
  const range = { start: 5000, end: 6000 };
  const cases: [status: number, body: string, outcome: string, requests: number][] = [
    [404, xml('NoSuchKey'), 'not_found', 1],
    [404, xml('NoSuchBucket'), 'not_found', 1],
    [403, xml('AccessDenied'), 'forbidden', 1],
    [403, xml('InvalidObjectState'), 'forbidden', 1],
    [403, xml('SignatureDoesNotMatch'), 'origin_unavailable', 1],
    [403, 'not XML at all', 'forbidden', 1],
    [503, xml('SlowDown'), 'origin_unavailable', 3],
    [500, xml('InternalError'), 'origin_unavailable', 3],
    [400, xml('RequestTimeout'), 'origin_unavailable', 3],
    [400, xml('KeyTooLongError'), 'not_found', 1],
    [400, xml('AuthorizationHeaderMalformed', '<Region>eu-west-1</Region>'), 'origin_protocol', 1],
    [301, xml('PermanentRedirect', '<Endpoint>films.s3.eu-west-1.amazonaws.com</Endpoint>'), 'origin_protocol', 1],
    [416, xml('InvalidRange', '<ActualObjectSize>4000</ActualObjectSize>'), 'range_not_satisfiable', 1],
    [412, xml('PreconditionFailed'), 'origin_protocol', 1],
    [400, `${'x'.repeat(100_000)}${xml('NoSuchKey')}`, 'origin_protocol', 1],
  ];
  for (const [status, body, outcome, requests] of cases) {
    server.heal();
    server.forget();
    server.fault(faults.status(status, {}, body));
    const sink = fetchInto(openFake(), { path: '/f', range });
    assert.equal(await sink.over, outcome, body.slice(0, 100));
    assert.equal(server.requests.length, requests, body.slice(0, 100));
    assert.equal(sink.refused!.status, status);
    if (status === 416) assert.equal(sink.refused!.size, 4000);
  }
});

test('a refusing answer whose body never ends is taken by its status', async () => {
  server.fault(faults.status(403, {}, xml('AccessDenied')));
  server.fault(faults.stall(3));
  assert.equal(await fetchInto(openFake(), { path: '/f' }).over, 'forbidden');
});

test('a clock that is wrong is put right by the store', async () => {
  server.put('/films/f', { size: 1000 });
  const theirs = Date.now() + 3_600_000;
  const late: Parameters<typeof server.fault>[0] = plan => {
    faults.status(
      403,
      { Date: new Date(theirs).toUTCString() },
      xml('RequestTimeTooSkewed'),
    )(plan, server.requests[0]!);
  };
  server.fault(late, {
    when: r => !r.headers['x-amz-date']!.startsWith(new Date(theirs).toISOString().slice(0, 13).replaceAll('-', '')),
  });
  const origin = openFake();
  assert.equal(await fetchInto(origin, { path: '/f' }, { keep: true }).over, 'ended');
  assert.equal(server.requests.length, 2);
  assert.equal(await fetchInto(origin, { path: '/f' }, { keep: true }).over, 'ended');
  assert.equal(server.requests.length, 3);
});

test('credentials: a machine that gives none has its requests fail, none of which goes unsigned', async () => {
  server.put('/films/f', { size: 10 });
  const machine = async () => {
    throw new Error('nobody answers');
  };
  const sink = fetchInto(openFake({ credentials: { machine, env: {}, home: folder } }), { path: '/f' });
  assert.equal(await sink.over, 'origin_unavailable');
  assert.equal(server.requests.length, 0);
});

test('credentials: configuration before file before environment before shared file; none goes unsigned', async () => {
  server.put('/films/f', { size: 10 });
  const file = join(folder, 'keys');
  const keyed = (name: string, token?: string) =>
    `[default]\naws_access_key_id = ${name}\naws_secret_access_key=secret\n${token ? `aws_session_token = ${token}\n` : ''}`;
  writeFileSync(
    file,
    `${keyed('FROMFILE', 'TOKEN')}\n# x\n[ other ]\naws_access_key_id=OTHER\naws_secret_access_key=x\n`,
  );
  const env = { AWS_ACCESS_KEY_ID: 'FROMENV', AWS_SECRET_ACCESS_KEY: 'x', AWS_SESSION_TOKEN: 'ENVTOKEN' };
  const ask = async (credentials: S3OriginOptions['credentials']) => {
    server.forget();
    assert.equal(await fetchInto(openFake({ credentials }), { path: '/f' }, { keep: true }).over, 'ended');
    const { authorization, 'x-amz-security-token': token } = server.requests[0]!.headers;
    return [/Credential=(\w+)\//.exec(authorization ?? '')?.[1], token];
  };
  const home = join(folder, 'never');
  assert.deepEqual(await ask({ keys: KEYS, file, env, home }), ['S3RVER', undefined]);
  assert.deepEqual(await ask({ file, env, home }), ['FROMFILE', 'TOKEN']);
  assert.deepEqual(await ask({ file, env: { ...env, AWS_PROFILE: 'other' }, home }), ['OTHER', undefined]);
  assert.deepEqual(await ask({ env, home }), ['FROMENV', 'ENVTOKEN']);
  assert.deepEqual(await ask({ env: { AWS_SHARED_CREDENTIALS_FILE: file }, home }), ['FROMFILE', 'TOKEN']);
  assert.deepEqual(await ask({ env: {}, home }), [undefined, undefined]);
  assert.throws(() => openFake({ credentials: { file: join(folder, 'none'), env, home } }), { code: 'bad_config' });
  assert.throws(() => openFake({ credentials: { file, env: { AWS_PROFILE: 'missing' }, home } }), {
    code: 'bad_config',
  });

  // Expired keys are read again from a file that has been rewritten.
  const origin = openFake({ credentials: { file, env: {}, home } });
  writeFileSync(file, keyed('RENEWED'));
  utimesSync(file, new Date(), new Date(Date.now() + 5000));
  server.forget();
  server.fault(faults.status(400, {}, xml('ExpiredToken')), {
    when: r => r.headers.authorization!.includes('FROMFILE'),
  });
  assert.equal(await fetchInto(origin, { path: '/f' }, { keep: true }).over, 'ended');
  assert.deepEqual(
    server.requests.map(r => r.status),
    [400, 200],
  );
  assert.equal(
    server.requests[1]!.headers.authorization,
    await rightSignature(1, { accessKeyId: 'RENEWED', secretAccessKey: 'secret' }),
  );
});
