import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import type { AccessRequest } from '../../../src/access/access-request.js';
import { Callback, type CallbackSettings } from '../../../src/access/callback.js';
import { until } from '../../support/until.js';

const asked: IncomingMessage[] = [];
let answer = { status: 204, fields: {} as Record<string, string> };
/** Answers that are held back. */
const held: (() => void)[] = [];
let holds = false;
const server = createServer((req, res) => {
  asked.push(req);
  const send = () => res.writeHead(answer.status, answer.fields).end('a body');
  if (req.url?.endsWith('never')) return;
  if (holds) held.push(send);
  else send();
});
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
after(() => {
  server.closeAllConnections();
  server.close();
});
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/may?by=edge`;

function callback(settings: Partial<CallbackSettings> = {}): Callback {
  asked.length = 0;
  return new Callback({ url, cache: 30_000, timeout: 10_000, failure: 'closed', forward: ['cookie'], ...settings });
}

const request = (path: string, fields: Record<string, string> = {}): AccessRequest => ({
  method: 'GET',
  host: 'films.example',
  url: path,
  query: '',
  path,
  parameter: () => undefined,
  field: name => fields[name] ?? '',
  client: () => '192.0.2.1',
});

describe('a callback', () => {
  it('is told of the request, and its answers are kept', async () => {
    answer = { status: 204, fields: {} };
    const rule = callback();
    assert.equal(await rule.refusal(request('/film.mp4?a=1', { cookie: 'session=1', range: 'bytes=0-9' })), undefined);
    const { url: target, headers } = asked[0]!;
    assert.equal(target, '/may?by=edge');
    assert.equal(headers['x-original-uri'], '/film.mp4?a=1');
    assert.equal(headers['x-original-method'], 'GET');
    assert.equal(headers['x-forwarded-host'], 'films.example');
    assert.equal(headers['x-forwarded-for'], '192.0.2.1');
    assert.equal(headers.cookie, 'session=1');
    assert.equal(headers.range, undefined);
    assert.equal(rule.refusal(request('/film.mp4?a=1', { cookie: 'session=1', range: 'bytes=10-' })), undefined);
    assert.equal(asked.length, 1);
    assert.ok(rule.refusal(request('/film.mp4?a=1', { cookie: 'session=2' })) instanceof Promise);
    assert.ok(rule.refusal(request('/film.mp4?a=2', { cookie: 'session=1' })) instanceof Promise);
  });

  it('keeps out by any status of 4xx, which is kept, too', async () => {
    for (const status of [401, 403, 404, 429]) {
      answer = { status, fields: {} };
      const rule = callback();
      assert.equal(await rule.refusal(request('/film.mp4')), `the callback answered ${status}`);
      assert.equal(rule.refusal(request('/film.mp4')), `the callback answered ${status}`);
    }
  });

  it('fails closed or open, and is asked again', async () => {
    for (const status of [302, 500, 503]) {
      answer = { status, fields: { location: '/elsewhere' } };
      const closed = callback();
      assert.equal(await closed.refusal(request('/film.mp4')), `the callback failed: an answer of status ${status}`);
      assert.ok(closed.refusal(request('/film.mp4')) instanceof Promise);
      assert.equal(await callback({ failure: 'open' }).refusal(request('/film.mp4')), undefined);
    }
    const nobody = callback({ url: 'http://127.0.0.1:1/' });
    assert.match((await nobody.refusal(request('/film.mp4'))) ?? '', /^the callback failed: /);
  });

  it('has so much time, and no more', async () => {
    const rule = callback({ timeout: 20, url: `${url}&never` });
    assert.match((await rule.refusal(request('/film.mp4'))) ?? '', /^the callback failed: .*timeout/);
  });

  it('is asked once by many, and by not too many', async () => {
    answer = { status: 200, fields: {} };
    holds = true;
    const rule = callback();
    const same = Array.from({ length: 10 }, () => rule.refusal(request('/same.mp4')));
    await until('a question', () => held.length === 1);
    const others = Array.from({ length: 255 }, (_, i) => rule.refusal(request(`/${i}.mp4`)));
    assert.equal(rule.refusal(request('/last.mp4')), 'the callback failed: too many questions are under way');
    await until('all questions', () => held.length === 256);
    holds = false;
    for (const send of held.splice(0)) send();
    assert.deepEqual(new Set(await Promise.all([...same, ...others])), new Set([undefined]));
  });

  it('says how long its answer is kept', async () => {
    for (const control of ['no-store', 'max-age=0', 'private, no-cache', 'max-age="0"']) {
      answer = { status: 200, fields: { 'cache-control': control } };
      const rule = callback();
      await rule.refusal(request('/film.mp4'));
      assert.ok(rule.refusal(request('/film.mp4')) instanceof Promise, control);
    }
    answer = { status: 200, fields: { 'cache-control': 'max-age=60' } };
    const rule = callback();
    await rule.refusal(request('/film.mp4'));
    assert.equal(rule.refusal(request('/film.mp4')), undefined);
    const never = callback({ cache: 0 });
    await never.refusal(request('/film.mp4'));
    assert.ok(never.refusal(request('/film.mp4')) instanceof Promise);
  });
});
