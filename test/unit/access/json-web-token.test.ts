import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { AccessRequest } from '../../../src/access/access-request.js';
import { TokenAccess, type TokenSettings } from '../../../src/access/json-web-token.js';

const SECRET = 'a secret of more than 32 characters';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const folder = mkdtempSync(join(tmpdir(), 'moovedge-jwt-'));
after(() => rmSync(folder, { recursive: true }));

const jwk = (key: KeyObject, kid: string) => ({ ...key.export({ format: 'jwk' }), kid });
const fileOf = (name: string, text: string) => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};
const setOf = (...keys: object[]) => JSON.stringify({ keys });
const now = Math.floor(Date.now() / 1000);

/** Signs by node:crypto alone: what is tested did not write it. */
function token(alg: string, claims: object, key: KeyObject | string, header: object = {}): string {
  const text = [{ alg, typ: 'JWT', ...header }, claims]
    .map(each => Buffer.from(JSON.stringify(each)).toString('base64url'))
    .join('.');
  if (alg === 'none') return `${text}.`;
  if (alg === 'HS256')
    return `${text}.${createHmac('sha256', key as string)
      .update(text)
      .digest('base64url')}`;
  const how = alg === 'ES256' ? { key: key as KeyObject, dsaEncoding: 'ieee-p1363' as const } : (key as KeyObject);
  return `${text}.${sign('sha256', Buffer.from(text), how).toString('base64url')}`;
}

function requestFor(path: string, fields: Record<string, string> = {}, parameters: Record<string, string> = {}) {
  const request: AccessRequest = {
    method: 'GET',
    host: 'films.example',
    url: path,
    query: '',
    path,
    parameter: name => parameters[name],
    field: name => fields[name] ?? '',
    client: () => '192.0.2.1',
  };
  return request;
}

const access = (settings: Partial<TokenSettings>) => new TokenAccess({ keysTtl: 600_000, ...settings });
const bearing = (text: string, path = '/members/film.mp4') => requestFor(path, { authorization: `Bearer ${text}` });
const refusal = async (tokens: TokenAccess, text: string, path?: string) =>
  tokens.refusal(bearing(text, path), Date.now());

describe('JSON Web Tokens', () => {
  it('let in who has one in the parameter, the cookie or Authorization, in this order', async () => {
    const tokens = access({ secret: SECRET, cookie: 'session', parameter: 'jwt' });
    const good = token('HS256', { exp: now + 60 }, SECRET);
    for (const request of [
      requestFor('/a', {}, { jwt: good }),
      requestFor('/a', { cookie: `other=1; session=${good}; last=2` }),
      requestFor('/a', { cookie: `session="${good}"` }),
      bearing(good),
      requestFor('/a', { authorization: `bearer  ${good}` }),
    ])
      assert.equal(await tokens.refusal(request, Date.now()), undefined);
    assert.equal(await tokens.refusal(requestFor('/a'), Date.now()), 'no token');
    assert.equal(await tokens.refusal(requestFor('/a', { authorization: 'Basic YTpi' }), Date.now()), 'no token');
    assert.equal(await tokens.refusal(requestFor('/a', { cookie: `xsession=${good}` }), Date.now()), 'no token');
    const both = requestFor('/a', { authorization: `Bearer ${good}` }, { jwt: 'x' });
    assert.equal(await tokens.refusal(both, Date.now()), 'the token is none');
  });

  it('are verified by each algorithm, and by no other', async () => {
    const keys = fileOf('keys.json', setOf(jwk(rsa.publicKey, 'r'), jwk(ec.publicKey, 'e')));
    const tokens = access({ secret: SECRET, keys });
    const claims = { exp: now + 60 };
    assert.equal(await refusal(tokens, token('HS256', claims, SECRET)), undefined);
    assert.equal(await refusal(tokens, token('RS256', claims, rsa.privateKey, { kid: 'r' })), undefined);
    assert.equal(await refusal(tokens, token('ES256', claims, ec.privateKey)), undefined);
    const another = 'the signature of the token is another';
    assert.equal(await refusal(tokens, token('HS256', claims, `${SECRET}!`)), another);
    assert.equal(await refusal(tokens, token('RS256', claims, otherRsa.privateKey, { kid: 'r' })), another);
    const unknown = 'the token is signed by no key that is known';
    assert.equal(await refusal(tokens, token('RS256', claims, rsa.privateKey, { kid: 'x' })), unknown);
    const way = 'the token is signed in another way than is allowed';
    assert.equal(await refusal(tokens, token('none', claims, '')), way);
    const publicOnly = access({ keys });
    const pem = rsa.publicKey.export({ format: 'pem', type: 'spki' }) as string;
    assert.equal(await refusal(publicOnly, token('HS256', claims, pem)), way, 'a public key is no secret');
    assert.equal(await refusal(access({ secret: SECRET }), token('RS256', claims, rsa.privateKey)), way);
    for (const text of ['x', 'a.b', 'a.b.c', `${token('HS256', claims, SECRET)}.x`])
      assert.match((await refusal(tokens, text)) ?? '', /^the token is (none|signed)/);
  });

  it('may be signed by any of several keys when they don’t say which', async () => {
    const keys = fileOf('two.json', setOf(jwk(otherRsa.publicKey, '1'), jwk(rsa.publicKey, '2')));
    const tokens = access({ keys });
    assert.equal(await refusal(tokens, token('RS256', {}, rsa.privateKey)), undefined);
    const third = generateKeyPairSync('rsa', { modulusLength: 2048 });
    assert.equal(await refusal(tokens, token('RS256', {}, third.privateKey)), 'the signature of the token is another');
  });

  it('are verified by a key in PEM', async () => {
    const keys = fileOf('key.pem', ec.publicKey.export({ format: 'pem', type: 'spki' }) as string);
    assert.equal(await refusal(access({ keys }), token('ES256', {}, ec.privateKey)), undefined);
    assert.throws(() => access({ keys: join(folder, 'absent') }), { code: 'bad_config' });
    assert.throws(() => access({ keys: fileOf('empty.json', '{"keys":[]}') }), { code: 'bad_config' });
    assert.throws(() => access({ keys: fileOf('none.json', 'none') }), { code: 'bad_config' });
  });

  it('say from when to when, for whom and where', async () => {
    const tokens = access({ secret: SECRET, audience: 'films', issuer: 'login', prefix: 'path' });
    const claims = { exp: now + 60, aud: ['films', 'songs'], iss: 'login', path: ['/members/', '/x'] };
    const say = (changes: object, path?: string) =>
      refusal(tokens, token('HS256', { ...claims, ...changes }, SECRET), path);
    assert.equal(await say({}), undefined);
    assert.equal(await say({ path: '/members/film' }), undefined);
    assert.equal(await say({ path: '//members/%66ilm' }), undefined, 'written otherwise');
    assert.equal(await say({ exp: now - 1 }), 'the token has expired');
    assert.equal(await say({ nbf: now + 600 }), 'the claim nbf of the token does not fit');
    assert.equal(await say({ aud: 'songs' }), 'the claim aud of the token does not fit');
    assert.equal(await say({ iss: undefined }), 'the claim iss of the token does not fit');
    const elsewhere = 'the path does not begin with a prefix of the token';
    assert.equal(await say({}, '/other/film.mp4'), elsewhere);
    for (const path of [undefined, [], '', 'members', 7, [7]]) assert.equal(await say({ path }), elsewhere);
  });

  it('are remembered until they expire, whatever the path', async () => {
    const tokens = access({ secret: SECRET, prefix: 'path' });
    const good = token('HS256', { exp: now + 60, path: '/members/' }, SECRET);
    assert.ok(tokens.refusal(bearing(good), Date.now()) instanceof Promise);
    assert.equal(await refusal(tokens, good), undefined);
    assert.equal(tokens.refusal(bearing(good), Date.now()), undefined, 'at once');
    assert.equal(tokens.refusal(bearing(good), (now + 60) * 1000), 'the token has expired');
    assert.match(String(tokens.refusal(bearing(good, '/other'), Date.now())), /prefix/);
    const forged = `${good.slice(0, -4)}AAAA`;
    assert.match((await refusal(tokens, forged)) ?? '', /signature/);
    assert.ok(tokens.refusal(bearing(forged), Date.now()) instanceof Promise, 'what is forged is not remembered');
  });

  it('that are many at once are put off', async () => {
    const tokens = access({ secret: SECRET });
    const first = Array.from({ length: 64 }, (_, i) => tokens.refusal(bearing(token('HS256', { i }, SECRET)), 0));
    assert.throws(() => tokens.refusal(bearing(token('HS256', { i: 65 }, SECRET)), 0), {
      code: 'overloaded',
      options: { retryAfter: 1 },
    });
    assert.deepEqual(new Set(await Promise.all(first)), new Set([undefined]));
    assert.equal(await refusal(tokens, token('HS256', { i: 65 }, SECRET)), undefined);
  });

  it('are verified by keys of a URL, which are kept and asked for again', async () => {
    let keys = setOf(jwk(rsa.publicKey, 'one'));
    let asked = 0;
    let status = 200;
    const server = createServer((_, res) => {
      asked++;
      res.writeHead(status, { 'content-type': 'application/json' }).end(keys);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    after(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
    const one = (n: number) => token('RS256', { n }, rsa.privateKey, { kid: 'one' });
    const two = (n: number) => token('RS256', { n }, otherRsa.privateKey, { kid: 'two' });
    const tokens = access({ keys: url });
    assert.deepEqual(await Promise.all([refusal(tokens, one(1)), refusal(tokens, one(2))]), [undefined, undefined]);
    assert.equal(asked, 1);
    assert.equal(await refusal(tokens, two(1)), 'the token is signed by no key that is known');
    assert.equal(asked, 1, 'not again within ten seconds');
    // Keys that are no good any more stay while none can be had.
    const brief = access({ keys: url, keysTtl: 0 });
    assert.equal(await refusal(brief, one(3)), undefined);
    status = 500;
    assert.equal(await refusal(brief, one(4)), undefined);
    keys = 'x'.repeat(2 ** 21);
    status = 200;
    assert.match((await refusal(access({ keys: url }), one(5))) ?? '', /the keys can’t be had/);
  });
});
