import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type BusyKind, busyEdge, mostInATurn, request } from '../../support/busy-edge.js';
import { contentAt } from '../../support/content.js';
import { FakeObject } from '../../support/fake-content.js';
import { ENGINES } from '../../support/http-edge.js';
import { until } from '../../support/until.js';

const KINDS: readonly (BusyKind & { readonly port: string })[] = ENGINES.flatMap(engine => [
  { engine, secure: false, port: `a plain port of ${engine}` },
  { engine, secure: true, port: `a port of ${engine} that speaks TLS` },
]);

for (const { port, ...kind } of KINDS) {
  test(`a turn of the loop has 4 ms for requests, on however many connections they come: ${port}`, async () => {
    const { handled, add, openAll } = await busyEdge(kind);
    add('/slow');
    for (const socket of await openAll(60)) socket.write(request('/slow'));
    await until('all are handled', () => handled.length === 60);
    // Requests that begin after 0 and 2 ms.
    assert.ok(mostInATurn(handled) <= 2, `${mostInATurn(handled)} in a turn`);
  });

  test(`whoever has had less of the loop's time comes first: ${port}`, async () => {
    const { handled, add, openAll, open } = await busyEdge(kind);
    for (const path of ['/many', '/one']) add(path);
    const many = await openAll(40, '127.0.0.2');
    const one = await open('127.0.0.3');
    for (const socket of many) socket.write(request('/many'));
    await until('the flood is at it', () => handled.length >= 5);
    for (const socket of many) socket.write(request('/many'));
    one.write(request('/one'));
    const before = handled.length;
    await until('the other one is handled', () => handled.some(({ path }) => path === '/one'));
    const place = handled.findIndex(({ path }) => path === '/one');
    // In the order in which they came it would be the last of more than 70.
    assert.ok(place - before <= 30, `${place - before} of the flood came before it`);
  });
}

for (const engine of ENGINES) {
  test(`whoever has had much of the loop's time has his turn nevertheless, whatever a flood there is: ${engine}`, async () => {
    const { handled, add, open } = await busyEdge({ engine, secure: false });
    for (const path of ['/heavy', '/many']) add(path);
    const heavy = await open('127.0.0.2');
    heavy.write(request('/heavy').repeat(60));
    await until('it has had much', () => handled.length >= 60);
    // Each asks again as soon as it has its answer.
    for (let i = 0; i < 30; i++) {
      const socket = await open(`127.0.0.${10 + i}`);
      socket.on('data', () => socket.write(request('/many')));
      socket.write(request('/many'));
    }
    await until('the flood is at it', () => handled.length >= 160);
    const before = handled.filter(({ path }) => path === '/heavy').length;
    heavy.write(request('/heavy'));
    await until('it is handled', () => handled.filter(({ path }) => path === '/heavy').length > before);
  });
}

for (const { port, ...kind } of KINDS) {
  test(`pipelined requests on one connection share the time of a turn: ${port}`, async () => {
    const { handled, add, open } = await busyEdge(kind);
    add('/slow');
    // In one segment, and in one record.
    (await open()).write(request('/slow').repeat(300));
    await until('all are handled', () => handled.length === 300);
    assert.ok(mostInATurn(handled) <= 2, `${mostInATurn(handled)} in a turn`);
  });
}

/** Connects from a thread of its own, asks at once, and wakes `asked`. */
const ASKER = `
  const { workerData: { port, text, asked } } = require('node:worker_threads');
  const socket = require('node:net').connect(port, '127.0.0.1', () => socket.write(text, () => {
    Atomics.store(asked, 0, 1);
    Atomics.notify(asked, 0);
  }));
  socket.resume();`;

// Node reads of a connection in a later turn than it accepts it in.
test('what has come with a new connection is handled in the turn that accepts it', async () => {
  const { handled, add, port, immediate } = await busyEdge({ engine: 'uws', secure: false });
  add('/first');
  const asked = new Int32Array(new SharedArrayBuffer(4));
  const asker = new Worker(ASKER, { eval: true, workerData: { port, text: request('/first'), asked } });
  after(() => asker.terminate());
  await once(asker, 'online');
  const turn = await immediate();
  // Nothing is accepted meanwhile.
  assert.notEqual(Atomics.wait(asked, 0, 0, 60_000), 'timed-out');
  await until('it is handled', () => handled.length === 1);
  // The gate handles what is due before immediates run, so the next turn has not been counted yet.
  assert.equal(handled[0]!.turn, turn);
});

for (const engine of ENGINES) {
  test(`what the other side takes again has its turn like anything else: ${engine}`, async () => {
    const { handled, add, open, content } = await busyEdge({ engine, secure: false });
    add('/slow');
    content.paths.set('/film.mp4', new FakeObject(contentAt('/film.mp4', 'v1', 0, 20_000_000)));
    const slow = await Promise.all(Array.from({ length: 8 }, () => open()));
    for (const socket of slow) socket.pause().write(request('/film.mp4') + request('/slow').repeat(5));
    await until('all wait for their clients', () => content.requests.length >= 8);
    for (const socket of slow) socket.resume();
    await until('all are handled', () => handled.length === 40);
    assert.ok(mostInATurn(handled) <= 2, `${mostInATurn(handled)} in a turn`);
  });
}

for (const { port, ...kind } of KINDS) {
  test(`whoever asks for one thing at a time comes before requests in store: ${port}`, async () => {
    const { handled, add, open } = await busyEdge(kind);
    for (const path of ['/store', '/one']) add(path);
    const one = await open('127.0.0.3');
    // Each is a client by itself, so that none has had much.
    const flood = await Promise.all(Array.from({ length: 24 }, (_, i) => open(`127.0.0.${10 + i}`)));
    for (const socket of flood) socket.write(request('/store').repeat(20));
    const places: number[] = [];
    for (let asked = 0; asked < 5; asked++) {
      await until('the flood is at it', () => handled.length >= 80 * (asked + 1));
      const before = handled.length;
      one.write(request('/one'));
      await until('it is handled', () => handled.filter(({ path }) => path === '/one').length > asked);
      places.push(handled.findLastIndex(({ path }) => path === '/one') - before);
    }
    // What is left of the turn at hand, and another one; in turn with the others it would wait for most of the 24.
    assert.ok(places.sort((a, b) => a - b)[2]! <= 8, `${places}`);
  });
}
