import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { busyEdge, mostInATurn, request } from '../../../support/busy-edge.js';
import { contentAt } from '../../../support/content.js';
import { FakeObject } from '../../../support/fake-content.js';
import { listening, startEdge } from '../../../support/http-edge.js';
import { LiveRig } from '../../../support/live-rig.js';
import { RawConnection } from '../../../support/raw-http.js';
import { until } from '../../../support/until.js';

/* Requests that wait for their turn of the loop, and for the answers before them. */

const PLAIN = { engine: 'node', secure: false } as const;
const HTTP2 = { engine: 'node', secure: true, http2: true } as const;
/** Connections that ask at once. */
const FLOOD = 40;
/** What no parser takes: a blank before a colon. */
const GARBAGE = 'GET /a HTTP/1.1\r\nHost : a\r\n\r\n';

/** Statuses of all that comes until the edge closes. */
async function statuses(connection: RawConnection): Promise<number[]> {
  const text = (await connection.rest()).toString('latin1');
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

/** An edge, and what has it work for many turns, before those who come by the same client have theirs. */
async function floodedEdge(kind: typeof PLAIN | typeof HTTP2) {
  const edge = await busyEdge(kind);
  for (const path of ['/flood', '/one']) edge.add(path);
  const sockets = kind.secure ? [] : await edge.openAll(FLOOD);
  const sessions = kind.secure ? await Promise.all(Array.from({ length: FLOOD }, () => edge.openSession())) : [];
  const flood = async () => {
    const count = edge.count('/flood');
    for (const socket of sockets) socket.write(request('/flood'));
    for (const session of sessions) ask(session, '/flood');
    await until('the flood is at it', () => edge.count('/flood') > count);
  };
  return { ...edge, flood };
}

function ask(session: ClientHttp2Session, path: string): ClientHttp2Stream {
  const stream = session.request({ ':path': path });
  stream.on('error', () => {}).resume();
  return stream;
}

describe('HTTP/1.1', () => {
  for (const when of ['at once', 'behind a flood'] as const) {
    it(`a refusal comes behind the answers to what was asked before it, and once: ${when}`, async () => {
      const { port, server, count, flood, immediate } = await floodedEdge(PLAIN);
      if (when === 'behind a flood') await flood();
      const connection = await RawConnection.open(port);
      connection.send(request('/one') + request('/one') + GARBAGE);
      await immediate();
      connection.send(`${GARBAGE}${GARBAGE}`);
      assert.deepEqual(await statuses(connection), [404, 404, 400]);
      assert.equal(count('/one'), 2);
      assert.equal(server.stats.requests.none[400], 1);
    });

    it(`what Node's parser finds behind a request that is refused is not told of: ${when}`, async () => {
      const { port, server, flood } = await floodedEdge(PLAIN);
      if (when === 'behind a flood') await flood();
      const connection = await RawConnection.open(port);
      connection.send(`GET /one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${GARBAGE}`);
      assert.deepEqual(await statuses(connection), [400]);
      assert.equal(server.stats.requests.none[400], 1);
    });

    it(`nothing is answered behind what says that it is the last: ${when}`, async () => {
      const { port, server, count, flood } = await floodedEdge(PLAIN);
      if (when === 'behind a flood') await flood();
      const connection = await RawConnection.open(port);
      const last = request('/one').replace('Host', 'Connection: close\r\nHost');
      connection.send(last + request('/one') + GARBAGE);
      assert.deepEqual(await statuses(connection), [404]);
      assert.equal(count('/one'), 1);
      assert.equal(server.stats.requests.none[400] ?? 0, 0);
    });
  }

  it('a refusal waits for the end of an answer under way', async () => {
    const { content, port } = await startEdge({}, listening('node'));
    const film = new FakeObject(contentAt('/film.mp4', 'v1', 0, 300_000));
    film.available = 1000;
    content.paths.set('/film.mp4', film);
    const connection = await RawConnection.open(port);
    connection.send(request('/film.mp4') + GARBAGE);
    await until('the rest is wanted', () => film.wants.length > 0);
    film.available = Infinity;
    assert.deepEqual((await connection.answer()).body, film.bytes);
    assert.deepEqual(await statuses(connection), [400]);
  });

  it('a request that bears Upgrade is answered behind an answer under way', async () => {
    const rig = new LiveRig({ batch: 20, slow: 400, disconnect: 60_000, grace: 2000 });
    const { content, port } = await startEdge({ live: rig.port }, listening('node'));
    const film = new FakeObject(contentAt('/film.mp4', 'v1', 0, 300_000));
    film.available = 1000;
    content.paths.set('/film.mp4', film);
    const connection = await RawConnection.open(port);
    const upgrade = request('/film.mp4').replace('Host', 'Connection: Upgrade\r\nUpgrade: websocket\r\nHost');
    connection.send(request('/film.mp4') + upgrade + request('/film.mp4'));
    await until('the rest is wanted', () => film.wants.length > 0);
    film.available = Infinity;
    assert.deepEqual((await connection.answer()).body, film.bytes);
    const last = await connection.answer();
    assert.deepEqual([last.body, last.fields.connection], [film.bytes, 'close']);
    assert.equal((await connection.rest()).length, 0);
  });

  it('whoever has gone while it waited is not answered', async () => {
    const { port, server, count, flood, immediate } = await floodedEdge(PLAIN);
    const connections = await Promise.all(Array.from({ length: 5 }, () => RawConnection.open(port)));
    for (const connection of connections) await connection.request('GET', '/none').answer();
    await flood();
    for (const connection of connections) connection.send(request('/one').repeat(3));
    await immediate();
    await immediate();
    for (const { socket } of connections) socket.resetAndDestroy();
    await until('the flood is over', () => count('/flood') === FLOOD);
    await until('nothing waits', () => server.stats.openResponses === 0);
    assert.equal(count('/one'), 0);
  });

  it('a drain waits for those who wait for their turn', async () => {
    const { server, count, flood } = await floodedEdge(PLAIN);
    await flood();
    await until('most are there', () => server.stats.openResponses > FLOOD / 2);
    const there = count('/flood') + server.stats.openResponses;
    assert.equal(await server.drain({ grace: 60_000 }), true);
    assert.ok(count('/flood') >= there - 1, `${count('/flood')} of ${there}`);
  });
});

describe('HTTP/2', () => {
  it('many requests of a connection share the time of a turn, and others come before them', async () => {
    const { handled, count, add, openSession } = await busyEdge(HTTP2);
    for (const path of ['/many', '/one']) add(path);
    const one = await openSession('127.0.0.3');
    // Each is a client by itself, so that none has had much.
    const many = await Promise.all(Array.from({ length: 12 }, (_, i) => openSession(`127.0.0.${10 + i}`)));
    for (const session of many) for (let i = 0; i < 40; i++) ask(session, '/many');
    const places: number[] = [];
    for (let asked = 0; asked < 5; asked++) {
      await until('the flood is at it', () => handled.length >= 60 * (asked + 1));
      const before = handled.length;
      ask(one, '/one');
      await until('it is handled', () => count('/one') > asked);
      places.push(handled.findLastIndex(({ path }) => path === '/one') - before);
    }
    assert.ok(places.sort((a, b) => a - b)[2]! <= 8, `${places}`);
    await until('all are handled', () => count('/many') === 480);
    assert.ok(mostInATurn(handled) <= 2, `${mostInATurn(handled)} in a turn`);
  });

  it('what is taken back while it waits is not answered, and the connection goes on', async () => {
    const { server, count, flood, openSession, immediate } = await floodedEdge(HTTP2);
    const session = await openSession();
    await flood();
    const streams = Array.from({ length: 50 }, () => ask(session, '/one'));
    await immediate();
    await immediate();
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
    await until('the flood is over', () => count('/flood') === FLOOD);
    await until('nothing waits', () => server.stats.openResponses === 0);
    assert.equal(count('/one'), 0);
    const [headers] = await once(ask(session, '/one'), 'response');
    assert.equal(headers[':status'], 404);
  });

  it('a connection that takes back too much while it waits is closed', async () => {
    const { server, count, flood, openSession } = await floodedEdge(HTTP2);
    const session = await openSession();
    const closed = once(session, 'close');
    let isClosed = false;
    session.once('close', () => {
      isClosed = true;
    });
    await flood();
    let asked = 0;
    const tick = () => {
      if (isClosed) return;
      for (let at = 0; at < 50 && !session.destroyed && !session.closed; at++, asked++) {
        const stream = ask(session, '/one');
        setImmediate(() => setImmediate(() => stream.close(constants.NGHTTP2_CANCEL)));
      }
      setImmediate(() => setImmediate(() => setImmediate(tick)));
    };
    tick();
    await closed;
    assert.ok(asked < 5000, `${asked} requests`);
    await until('nothing waits', () => server.stats.openResponses === 0);
    assert.ok(count('/one') < asked);
  });

  it('a connection that goes while its requests wait is forgotten', async () => {
    const { port, server, count, flood, openSession, immediate } = await floodedEdge(HTTP2);
    const tcp = connect(port, '127.0.0.1');
    const session = await openSession(undefined, tcp);
    await flood();
    for (let i = 0; i < 20; i++) ask(session, '/one');
    await immediate();
    await immediate();
    tcp.resetAndDestroy();
    await until('the flood is over', () => count('/flood') === FLOOD);
    await until('nothing waits', () => server.stats.openResponses === 0);
    assert.equal(count('/one'), 0);
  });

  it('a drain waits for what waits for its turn', async () => {
    const { server, count, add, openSession } = await busyEdge(HTTP2);
    add('/many');
    const session = await openSession();
    const answers = Array.from({ length: 40 }, () => once(ask(session, '/many'), 'response'));
    await until('some are handled', () => count('/many') > 0);
    assert.equal(await server.drain({ grace: 60_000 }), true);
    assert.equal((await Promise.all(answers)).length, 40);
  });
});
