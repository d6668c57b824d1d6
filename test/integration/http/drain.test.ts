import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { EdgeError } from '../../../src/base/errors.js';
import { createHttpServer } from '../../../src/http/server.js';
import { contentAt } from '../../support/content.js';
import { DEFAULTS } from '../../support/defaults.js';
import { FakeContent, FakeObject, plainFiles } from '../../support/fake-content.js';
import { ENGINES, type Engine, listening, startEdge } from '../../support/http-edge.js';
import { fetchRaw, RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const bytes = contentAt('/film.mp4', 'v1', 0, 300_000);

async function filmEdge(engine: Engine, options: Parameters<typeof startEdge>[0] = {}) {
  const edge = await startEdge(options, listening(engine));
  const film = new FakeObject(bytes);
  edge.content.paths.set('/film.mp4', film);
  return { ...edge, film };
}

for (const engine of ENGINES)
  test(`a drain lets answers end, tells open connections to close, and accepts no other: ${engine}`, async () => {
    const order: string[] = [];
    const { port, server, film } = await filmEdge(engine, { beforeClose: () => void order.push('before') });
    film.available = 1000;
    const running = (await RawConnection.open(port)).request('GET', '/film.mp4');
    const idle = await RawConnection.open(port);
    assert.equal((await idle.request('GET', '/none').answer()).fields.connection, undefined);
    await until('the answer is under way', () => film.wants.length === 1);
    const drained = server
      .drain({ grace: 10_000, idle: 10_000 })
      .then(complete => void order.push(`drained ${complete}`));
    await until('the hook has run', () => order.length === 1);
    await assert.rejects(RawConnection.open(port), { code: 'ECONNREFUSED' });
    const last = await idle.request('GET', '/none').answer();
    assert.equal(last.status, 404);
    assert.equal(last.fields.connection, 'close');
    film.available = Infinity;
    assert.deepEqual((await running.answer()).body, bytes);
    assert.deepEqual(order, ['before'], 'idle connections are waited for');
    running.socket.destroy();
    idle.socket.destroy();
    await drained;
    assert.deepEqual(order, ['before', 'drained true']);
  });

for (const engine of ENGINES)
  test(`a drain does not wait for idle connections unless told: ${engine}`, async () => {
    const { port, server } = await filmEdge(engine);
    const idle = await RawConnection.open(port);
    await idle.request('GET', '/none').answer();
    assert.equal(await server.drain({ grace: 10_000 }), true);
    server.close();
    await idle.rest();
  });

for (const engine of ENGINES)
  test(`a drain has a deadline: ${engine}`, async () => {
    const { port, server, film } = await filmEdge(engine);
    film.available = 1000;
    const running = (await RawConnection.open(port)).request('GET', '/film.mp4');
    await until('the answer is under way', () => film.wants.length === 1);
    assert.equal(await server.drain({ grace: 50 }), false);
    server.close();
    await running.rest();
    await until('what ran was cut', () => server.stats.openResponses === 0);
    assert.equal(film.readers.size, 0);
  });

for (const engine of ENGINES)
  test(`an answer that is suspended when the drain begins ends too: ${engine}`, async () => {
    const { port, server, content } = await filmEdge(engine);
    let open = () => {};
    content.gate = new Promise<void>(resolve => {
      open = resolve;
    });
    const running = (await RawConnection.open(port)).request('GET', '/film.mp4');
    await until('the request is there', () => server.stats.openResponses === 1);
    const drained = server.drain({ grace: 10_000 });
    open();
    const { body, fields } = await running.answer();
    assert.deepEqual(body, bytes);
    assert.equal(fields.connection, 'close');
    assert.equal(await drained, true);
    running.socket.destroy();
  });

for (const engine of ENGINES)
  test(`two servers share a port, and one that drains leaves new connections to the other: ${engine}`, async () => {
    const content = new FakeContent();
    content.paths.set('/film.mp4', new FakeObject(bytes));
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    await once(probe.close(), 'close');
    const [first, second] = [
      createHttpServer({ ...DEFAULTS.http, content, ...plainFiles }),
      createHttpServer({ ...DEFAULTS.http, content, ...plainFiles }),
    ];
    const ports = [first, second].map(server => server.listen('127.0.0.1', port, listening(engine)));
    assert.deepEqual(await Promise.all(ports), [port, port]);
    await first.drain({ grace: 1000 });
    for (let i = 0; i < 20; i++) assert.equal((await fetchRaw(port, 'GET', '/film.mp4')).status, 200);
    assert.equal(second.stats.requests.memory[200], 20);
    first.close();
    second.close();
  });

for (const engine of ENGINES)
  test(`an address that can't be had is an error that says why: ${engine}`, async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const server = createHttpServer({ ...DEFAULTS.http, content: new FakeContent(), ...plainFiles });
    const says = (reason: RegExp) => (error: unknown) =>
      error instanceof EdgeError && error.code === 'bad_config' && reason.test(error.message);
    await assert.rejects(server.listen('127.0.0.1', port, listening(engine)), says(/another program listens there/));
    await assert.rejects(server.listen('203.0.113.1', 0, listening(engine)), says(/not one of this machine/));
    await assert.rejects(
      server.listen('nowhere.invalid', 0, listening(engine)),
      says(/host name is not known|EAI_AGAIN/),
    );
    taken.close();
    server.close();
  });
