import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import type { AccessRequest } from '../../../src/access/access-request.js';
import { AccessRules, type AccessSettings } from '../../../src/access/access-rules.js';
import { TokenAccess } from '../../../src/access/json-web-token.js';
import type { Log } from '../../../src/base/log.js';
import { ownCredentials } from '../../../src/base/own-credentials.js';
import type { LivePort } from '../../../src/http/live-port.js';
import { OwnRequests } from '../../../src/http/own-requests.js';
import type { View } from '../../../src/view/view.js';
import { Views } from '../../../src/view/views.js';
import { FakeObject } from '../../support/fake-content.js';
import { ENGINES, type Engine, type HttpEdge, listening, startEdge } from '../../support/http-edge.js';
import { fetchRaw, type RawAnswer, RawConnection } from '../../support/raw-http.js';

const SECRET = 'a secret, ü';
const OWN_KEY = 'only the Edge knows';
const EXPIRES = 'expires';
const later = Math.floor(Date.now() / 1000) + 3600;
const past = later - 7200;

const hmac = (text: string, secret = SECRET) => createHmac('sha256', secret).update(text).digest('base64url');
const signed = { scheme: 'hmac_sha256', signature: 'token', expires: EXPIRES, secret: SECRET } as const;
const RULES: AccessSettings[] = [
  { path: '/paid/trailers/' },
  { path: '/paid/', signed: { ...signed, template: '{expires}{path}' } },
  { path: '/md5/', signed: { ...signed, scheme: 'secure_link_md5', template: '{path}{secret}', expires: undefined } },
  { path: '/below/', signed: { ...signed, template: '{expires}{prefix}', prefix: 'prefix' } },
  { path: '/mine/', signed: { ...signed, template: '{expires}{path}{ip}' } },
  { path: '/linked/', referers: { allow: ['example.com', '*.example.com'], block: ['bad.example.com'] } },
  { path: '/shown/', referers: { allow: [], block: ['none'] } },
  { host: 'closed.example', path: '/', signed: { ...signed, template: '{path}', expires: undefined } },
  { path: '/live/', signed: { ...signed, template: '{expires}{path}' } },
  { path: '/übung/', signed: { ...signed, template: '{expires}{path}' } },
];
/** Who is asked; the path says what it answers, later than at once. */
const asked: string[] = [];
const doorman = createServer((req, res) => {
  const uri = String(req.headers['x-original-uri']);
  asked.push(uri);
  res.writeHead(/good|list/.test(uri.split('?')[0]!) ? 200 : 401).end();
});
await new Promise<void>(resolve => doorman.listen(0, '127.0.0.1', resolve));
after(() => doorman.close());
const TOKEN_SECRET = 'a secret of more than 32 characters';
RULES.unshift(
  { path: '/inside/', addresses: { allow: ['127.0.0.0/8'], deny: ['127.0.0.2'] } },
  { path: '/outside/', addresses: { allow: ['192.0.2.0/24'], deny: [] } },
  { path: '/denied/', addresses: { allow: [], deny: ['127.0.0.1'] } },
  { path: '/members/', jwt: { secret: TOKEN_SECRET, keysTtl: 1000, prefix: 'path', parameter: 'jwt', cookie: 'who' } },
  {
    path: '/asked/',
    callback: {
      url: `http://127.0.0.1:${(doorman.address() as AddressInfo).port}/`,
      cache: 0,
      timeout: 60_000,
      failure: 'closed',
      forward: [],
    },
  },
  {
    path: '/live/a/asked',
    callback: {
      url: `http://127.0.0.1:${(doorman.address() as AddressInfo).port}/`,
      cache: 0,
      timeout: 60_000,
      failure: 'closed',
      forward: [],
    },
  },
);
/** A token of HS256, signed by hand. */
function tokenOf(claims: object): string {
  const text = [{ alg: 'HS256' }, claims]
    .map(each => Buffer.from(JSON.stringify(each)).toString('base64url'))
    .join('.');
  return `${text}.${createHmac('sha256', TOKEN_SECRET).update(text).digest('base64url')}`;
}
const film = Buffer.alloc(20_000, 7);

const lines: { fields: object; text: string }[] = [];
const note = (fields: object, text: string) => lines.push({ fields, text });
const log: Log = { debug: note, info: note, warn: note, error: note };
/** A list, which names what the query says; the answer is the last of them. */
const listOf = (path: string, films: readonly string[]): View => ({
  path,
  hint: undefined,
  async make(opened, request, { content }) {
    let last = opened;
    for (const film of films) last = await content.open({ ...request, path: film, field: () => '' });
    return last;
  },
});
// Looks at one film by the name of another.
const viewOf = (path: string): View => ({ path, hint: undefined, make: opened => opened });
const views = new Views([
  {
    parameters: ['list'],
    find: ({ path, parameters }) =>
      parameters.has('list') ? listOf(path, parameters.get('list')!.split(',')) : undefined,
  },
  {
    parameters: ['of'],
    find: ({ parameters }) => (parameters.has('of') ? viewOf(parameters.get('of')!) : undefined),
  },
]);
// One stream is there.
const viewing = { find: (name: string) => (name === 'a/there' ? {} : undefined), drain() {} };
const live = { path: '/live/', viewing } as unknown as LivePort;
/** Fields that the last request had for those behind. */
let seen: Record<string, string> = {};
async function edgeWith(engine: Engine): Promise<HttpEdge> {
  const access = new AccessRules(RULES, settings => new TokenAccess(settings));
  const own = new OwnRequests();
  own.key = OWN_KEY;
  // So slow that no test would see the end of a film.
  const pacing = { rate: { bytes: 1000 }, after: 1000 };
  const routes = [{ path: '/slow/', pacing }];
  const edge = await startEdge({ access, own, routes, log, views, live }, listening(engine));
  const open = edge.content.open.bind(edge.content);
  edge.content.open = request => {
    seen = Object.fromEntries(['authorization', 'cookie', 'referer'].map(name => [name, request.field(name)]));
    return open(request);
  };
  return edge;
}

const edges = { uws: await edgeWith('uws'), node: await edgeWith('node') };

for (const engine of ENGINES)
  describe(`rules of access: ${engine}`, () => {
    const edge = edges[engine];
    const { port } = edge;

    /** Asks for a path that is there as the origin names it. */
    async function get(target: string, fields: Record<string, string> = {}, method = 'GET'): Promise<RawAnswer> {
      const [path = ''] = target.split('?');
      edge.content.requests.length = 0;
      edge.content.paths.set(path, new FakeObject(film));
      return fetchRaw(port, method, target, fields);
    }

    async function assertIn(target: string, fields?: Record<string, string>): Promise<void> {
      const { status, body } = await get(target, fields);
      assert.equal(status, 200, target);
      assert.ok(body.equals(film));
    }

    const bodies = new Set<string>();
    /** Reasons that the log has told. */
    const reasons = new Set<string>();
    async function assertOut(target: string, reason: string, fields?: Record<string, string>): Promise<void> {
      lines.length = 0;
      const answer = await get(target, fields);
      assert.equal(answer.status, 403, target);
      bodies.add(`${answer.body} ${answer.fields['cache-status']}`);
      assert.equal(bodies.size, 1, 'nobody is told why');
      assert.equal(answer.fields['cache-control'], 'no-store');
      assert.deepEqual(edge.content.requests, [], 'nothing was opened');
      // Of many lines of a kind some are held back.
      for (const { fields } of lines) reasons.add((fields as { reason: string }).reason);
      assert.ok(reasons.has(reason), `${reason} is not among ${[...reasons].join(', ')}`);
      assert.ok(!JSON.stringify(lines).includes('token='));
    }

    it('let in who has a signature, whose parameters go no further', async () => {
      const token = hmac(`${later}/paid/film.mp4`);
      const target = `/paid/film.mp4?a=1&token=${token}&b=2&${EXPIRES}=${later}`;
      await assertIn(target);
      assert.equal(edge.content.requests[0]!.query, 'a=1&b=2');
      assert.equal(edge.content.requests[0]!.tokens, `token=${token}&${EXPIRES}=${later}`);
      assert.equal((await get(target, { Range: 'bytes=0-9' })).status, 206);
      assert.equal((await get(target, {}, 'HEAD')).status, 200);
    });

    it('keep out who has none, an expired one, or that of something else', async () => {
      const path = '/paid/film.mp4';
      const url = (token: string, expires: string | number = later) => `${path}?token=${token}&${EXPIRES}=${expires}`;
      const good = hmac(`${later}${path}`);
      await assertOut(path, 'no signature');
      await assertOut(`${path}?${EXPIRES}=${later}`, 'no signature');
      await assertOut(`${path}?token=${good}`, 'no time of expiry');
      await assertOut(url(good, 'soon'), 'no time of expiry');
      await assertOut(url(good, -1), 'no time of expiry');
      await assertOut(url(hmac(`${past}${path}`), past), 'expired');
      await assertOut(url(good, later + 1), 'the signature is another');
      await assertOut(url(hmac(`${later}${path}`, 'another')), 'the signature is another');
      await assertOut(url(hmac(`${later}/paid/other.mp4`)), 'the signature is another');
      await assertOut(url(good.slice(0, -2)), 'the signature has another length');
      await assertOut(url(''), 'the signature is no base64url');
      await assertOut(url('%41'), 'the signature is no base64url');
      await assertOut(`${path}?token=x&token=${good}&${EXPIRES}=${later}`, 'the signature has another length');
      assert.equal((await get(path, {}, 'HEAD')).status, 403);
    });

    it('know a path however it is written', async () => {
      const token = hmac(`${later}/paid/film.mp4`);
      for (const path of [
        '/%70aid/film.mp4',
        '//paid/film.mp4',
        '/paid//film.mp4',
        '/paid%2Ffilm.mp4',
        '/paid%2f/film.mp4',
      ]) {
        await assertOut(path, 'no signature');
        await assertIn(`${path}?token=${token}&${EXPIRES}=${later}`);
      }
      await assertOut('/%C3%BCbung/film.mp4', 'no signature');
      await assertIn(`/%c3%bcbung/film.mp4?token=${hmac(`${later}/übung/film.mp4`)}&${EXPIRES}=${later}`);
      for (const path of ['/free/../paid/film.mp4', '/free/%2e%2e/paid/film.mp4', '/free/..;/paid/film.mp4'])
        assert.equal((await get(path)).status, 400);
    });

    it('take the first that fits by host and path', async () => {
      await assertIn('/paid/trailers/film.mp4');
      await assertIn('/free/film.mp4');
      await assertIn('/paid');
      await assertOut('/free/film.mp4', 'no signature', { Host: 'Closed.Example.:8080' });
      await assertIn(`/free/film.mp4?token=${hmac('/free/film.mp4')}`, { Host: 'closed.example' });
      await assertIn('/free/film.mp4?token=1');
      assert.equal(edge.content.requests[0]!.query, 'token=1', 'elsewhere it is the origin’s');
    });

    it('sign by MD5 with the secret in the text', async () => {
      const token = createHash('md5').update(`/md5/film.mp4${SECRET}`).digest('base64url');
      await assertIn(`/md5/film.mp4?token=${token}`);
      await assertIn(`/md5/film.mp4?token=${token}==`);
      await assertOut(`/md5/other.mp4?token=${token}`, 'the signature is another');
    });

    it('sign all below a prefix', async () => {
      const prefix = '/below/a b/';
      const query = `token=${hmac(`${later}${prefix}`)}&${EXPIRES}=${later}&prefix=%2Fbelow%2fa%20b%2F`;
      await assertIn(`/below/a%20b/film.mp4?${query}`);
      await assertIn(`/below/a%20b/c/1.m4s?${query}`);
      await assertOut(`/below/other/film.mp4?${query}`, 'the path does not begin with the prefix');
      await assertOut(`/below/film.mp4?${query.replace('a%20b', '')}`, 'the signature is another');
      await assertOut(`/below/film.mp4?${query.replace(/&prefix.*/, '')}`, 'no prefix');
    });

    it('sign for an address', async () => {
      const url = (ip: string) => `/mine/film.mp4?token=${hmac(`${later}/mine/film.mp4${ip}`)}&${EXPIRES}=${later}`;
      await assertIn(url('127.0.0.1'));
      await assertOut(url('127.0.0.2'), 'the signature is another');
    });

    it('know pages that may link', async () => {
      for (const page of ['http://example.com/', 'https://www.Example.com:8443/x?y', 'https://example.com'])
        await assertIn('/linked/film.mp4', { Referer: page });
      const other = 'the page that links to it is not one that may';
      for (const page of [
        'http://example.com.evil/',
        'http://evil/?http://example.com/',
        'example.com',
        'ftp://example.com/',
      ])
        await assertOut('/linked/film.mp4', other, { Referer: page });
      await assertOut('/linked/film.mp4', other, { Referer: 'http://example.com@evil/' });
      await assertOut('/linked/film.mp4', other);
      await assertOut('/linked/film.mp4', 'the page that links to it is blocked', {
        Referer: 'https://bad.example.com/',
      });
      await assertOut('/shown/film.mp4', 'the page that links to it is blocked');
      await assertIn('/shown/film.mp4', { Referer: 'https://any.example/' });
    });

    it('know addresses', async () => {
      await assertIn('/inside/film.mp4');
      await assertOut('/outside/film.mp4', 'the address is not one that is allowed');
      await assertOut('/denied/film.mp4', 'the address is denied');
    });

    it('know tokens, which go no further', async () => {
      const token = tokenOf({ exp: later, path: '/members/' });
      for (const _ of [1, 2]) {
        await assertIn(`/members/film.mp4?jwt=${token}&a=1`);
        assert.equal(edge.content.requests[0]!.query, 'a=1');
        assert.equal(edge.content.requests[0]!.tokens, `jwt=${token}`);
        await assertIn('/members/film.mp4', { Authorization: `Bearer ${token}`, Cookie: `a=1; who=${token}; b=2` });
        assert.deepEqual(seen, { authorization: '', cookie: 'a=1; b=2', referer: '' });
        assert.equal(
          (await get('/members/film.mp4', { Authorization: `Bearer ${token}`, Range: 'bytes=5-8' })).status,
          206,
        );
      }
      const policyOf = async (target: string) => (await get(target)).fields['referrer-policy'];
      assert.equal(await policyOf(`/members/film.mp4?jwt=${token}`), 'strict-origin', 'nor to other pages');
      assert.equal(await policyOf(`/members/film.mp4?jwt=${token}x`), 'strict-origin');
      assert.equal(await policyOf('/paid/trailers/film.mp4?jwt=1'), undefined, 'where it lets nobody in');
      await assertIn(`/members/film.mp4?jwt=${token}`, { Referer: `http://a/b?jwt=${token}&c=1#d` });
      assert.equal(seen.referer, 'http://a/b?c=1#d');
      await assertIn(`/paid/trailers/film.mp4`, { Authorization: `Bearer ${token}` });
      assert.equal(seen.authorization, `Bearer ${token}`, 'elsewhere it is the origin’s');
      await assertOut('/members/film.mp4', 'no token');
      await assertOut(`/members/film.mp4?jwt=${token}x`, 'the signature of the token is another');
      await assertOut(`/members/film.mp4?jwt=${tokenOf({ exp: past, path: '/' })}`, 'the token has expired');
      const elsewhere = 'the path does not begin with a prefix of the token';
      await assertOut(`/members/film.mp4?jwt=${tokenOf({ exp: later, path: '/other/' })}`, elsewhere);
    });

    it('ask somebody, while the request waits', async () => {
      for (const method of ['GET', 'HEAD']) assert.equal((await get('/asked/good.mp4', {}, method)).status, 200);
      assert.equal((await get('/asked/good.mp4?x=1', { Range: 'bytes=-5', 'If-None-Match': '"x"' })).status, 206);
      assert.equal(asked.at(-1), '/asked/good.mp4?x=1');
      await assertOut('/asked/bad.mp4', 'the callback answered 401');
      await assertOut('/live/a/asked.flv', 'the callback answered 401');
      assert.equal((await get('/live/a/asked-good.flv')).status, 404, 'let in, but not there');
      // A player that leaves while somebody is asked.
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const connection = await RawConnection.open(port);
          connection.socket.end('GET /asked/good.mp4 HTTP/1.1\r\nHost: a\r\n\r\n', () => connection.socket.destroy());
        }),
      );
      await assertIn('/asked/good.mp4');
    });

    it('hold for what a list names, which only its bytes tell', async () => {
      for (const path of [
        '/free/list',
        '/asked/list',
        '/paid/list',
        '/below/a/list',
        '/paid/film.mp4',
        '/asked/bad.mp4',
        '/asked/good.mp4',
        '/below/a/film.mp4',
        '/below/b/film.mp4',
      ])
        edge.content.paths.set(path, new FakeObject(film));
      const status = async (target: string) => (await get(target)).status;
      assert.equal(await status('/free/list?list=/free/list'), 200);
      assert.equal(await status('/free/list?list=/free/list,/paid/film.mp4'), 403);
      assert.equal(await status('/free/list?list=/asked/bad.mp4'), 403);
      assert.equal(await status('/free/list?list=/asked/good.mp4'), 200);
      assert.equal(await status('/asked/list?list=/asked/good.mp4'), 200);
      const own = `token=${hmac(`${later}/paid/list`)}&${EXPIRES}=${later}`;
      assert.equal(
        await status(`/paid/list?list=/paid/film.mp4&${own}`),
        200,
        'who signs a list has signed what is in it',
      );
      const below = `token=${hmac(`${later}/below/a/`)}&${EXPIRES}=${later}&prefix=/below/a/`;
      assert.equal(await status(`/below/a/list?list=/below/a/film.mp4&${below}`), 200);
      assert.equal(await status(`/below/a/list?list=/below/b/film.mp4&${below}`), 403);
    });

    it('remember what was signed, for nothing else', async () => {
      const good = hmac(`${later}/mine/film.mp4127.0.0.1`);
      await assertIn(`/mine/film.mp4?token=${good}&${EXPIRES}=${later}`);
      await assertIn(`/mine/film.mp4?token=${good}&${EXPIRES}=${later}`);
      await assertOut(`/mine/other.mp4?token=${good}&${EXPIRES}=${later}`, 'the signature is another');
      await assertOut(`/mine/film.mp4?token=${good}&${EXPIRES}=${later + 1}`, 'the signature is another');
      const rule = new AccessRules([{ path: '/', signed: { ...signed, template: '{expires}{path}{ip}' } }]).find(
        'a',
        '/',
      )!;
      const request = (client: string): AccessRequest => ({
        method: 'GET',
        host: 'a',
        url: '/film.mp4',
        path: '/film.mp4',
        query: `token=${hmac(`${soon}/film.mp4192.0.2.1`)}&expires=${soon}`,
        parameter: name => ({ token: hmac(`${soon}/film.mp4192.0.2.1`), expires: `${soon}` })[name],
        field: () => '',
        client: () => client,
      });
      const soon = Math.floor(Date.now() / 1000) + 60;
      assert.equal(rule.refusal(request('192.0.2.1')), undefined);
      assert.equal(rule.refusal(request('192.0.2.2')), 'the signature is another', 'replayed by somebody else');
      const { now } = Date;
      Date.now = () => (soon + 1) * 1000;
      try {
        assert.equal(rule.refusal(request('192.0.2.1')), 'expired', 'though it is remembered');
      } finally {
        Date.now = now;
      }
    });

    it('hold for live streams', async () => {
      await assertOut('/live/a/b.flv', 'no signature');
      const target = `/live/a/b.flv?token=${hmac(`${later}/live/a/b.flv`)}&${EXPIRES}=${later}`;
      assert.equal((await get(target)).status, 404);
      const key = 'dGhlIHNhbXBsZSBub25jZQ==';
      const upgrade = {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Key': key,
        'Sec-WebSocket-Version': '12',
      };
      await assertOut('/live/a/there.flv', 'no signature', upgrade);
      const there = `/live/a/there.flv?token=${hmac(`${later}/live/a/there.flv`)}&${EXPIRES}=${later}`;
      assert.equal((await get(there, upgrade)).status, 426, 'which it is asked next');
    });

    it('hold for nothing that the edge asks for itself, which is not held back either', async () => {
      const own = (key: string) => ({ Authorization: ownCredentials(key) });
      await assertIn('/paid/film.mp4', own(OWN_KEY));
      assert.equal(seen.authorization, '', 'told to nobody behind');
      await assertIn('/asked/bad.mp4', own(OWN_KEY));
      await assertIn(`/members/x.mp4?jwt=none&list=/paid/film.mp4`, own(OWN_KEY));
      await assertIn('/slow/film.mp4', own(OWN_KEY));
      for (const key of ['', 'x'.repeat(OWN_KEY.length), OWN_KEY.slice(1), `${OWN_KEY} `.toLowerCase()])
        await assertOut('/paid/film.mp4', 'no signature', own(key));
    });

    it('hold for what views make of objects elsewhere', async () => {
      edge.content.paths.set('/paid/film.mp4', new FakeObject(film));
      await assertOut('/free/view?of=/paid/film.mp4', 'no signature');
      await assertOut('/free/view?of=/%70aid/film.mp4', 'no signature');
      await assertIn(`/free/view?of=/paid/film.mp4&token=${hmac(`${later}/paid/film.mp4`)}&${EXPIRES}=${later}`);
    });
  });
