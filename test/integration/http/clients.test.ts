import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { after, describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { ClientAddresses } from '../../../src/http/client-address.js';
import type { PortBounds } from '../../../src/http/gate.js';
import { CatalogBench } from '../../support/catalog-bench.js';
import { contentAt } from '../../support/content.js';
import { FakeObject } from '../../support/fake-content.js';
import { ENGINES, type Engine, listening, startEdge } from '../../support/http-edge.js';
import { httpOrigin } from '../../support/http-origin.js';
import { fetchRaw, RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const BOUNDS: PortBounds = { connections: 100, perClient: 0, requests: 0, loopback: false, unsentBytes: 0 };
/** Bytes of a film of `BusyHost`. */
const FILM_SIZE = 3 * BLOCK_SIZE;
const PROXY = new ClientAddresses(['127.0.0.1/32']);
/** An address of this machine that is bounded like others. */
const outer = Object.values(networkInterfaces())
  .flat()
  .find(address => address?.internal === false && address.family === 'IPv4')?.address;

/** An origin that answers one request at a time, when it is free. */
class BusyHost {
  /** Paths of the requests in order. */
  readonly asked: string[] = [];
  readonly #held: (() => void)[] = [];
  #isFree = false;

  private constructor(readonly url: string) {}

  static async start(): Promise<BusyHost> {
    const server = createServer((req, res) => host.#take(req, res)).listen(0, '127.0.0.1');
    after(() => server.close());
    await once(server, 'listening');
    const host = new BusyHost(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return host;
  }

  occupy(): void {
    this.#isFree = false;
  }

  free(): void {
    this.#isFree = true;
    for (const answer of this.#held.splice(0)) answer();
  }

  #take({ url = '', headers }: IncomingMessage, res: ServerResponse): void {
    this.asked.push(url);
    const answer = () => {
      const [, from = 0, to = 0] = (/^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []).map(Number);
      const end = Math.min(to + 1, FILM_SIZE);
      res.writeHead(206, {
        'Content-Range': `bytes ${from}-${end - 1}/${FILM_SIZE}`,
        'Content-Length': end - from,
        'Cache-Control': url === '/private' ? 'no-store' : 'max-age=60',
        ETag: '"v1"',
      });
      res.end(Buffer.alloc(end - from));
    };
    if (this.#isFree) answer();
    else this.#held.push(answer);
  }
}

async function edgeWith(engine: Engine, more: Partial<PortBounds>, clients = PROXY, host = '127.0.0.1') {
  const bounds = { ...BOUNDS, ...more };
  const edge = await startEdge({ bounds }, listening(engine, { clients, bounds }));
  const film = new FakeObject(contentAt('/film.mp4', 'v1', 0, 700_000));
  edge.content.paths.set('/film.mp4', film);
  const port =
    host === '127.0.0.1' ? edge.port : await edge.server.listen(host, 0, listening(engine, { clients, bounds }));
  return { ...edge, port, film };
}

for (const engine of ENGINES) {
  describe(`clients behind a proxy, over ${engine}`, () => {
    it('have as many requests under way as they may, whatever connections these come on', async () => {
      const { port, film, server } = await edgeWith(engine, { requests: 2 });
      film.available = 1000;
      const ask = async (fields: Record<string, string>) =>
        (await RawConnection.open(port)).request('GET', '/film.mp4', fields);
      const under = [
        await ask({ 'X-Forwarded-For': '203.0.113.9' }),
        await ask({ 'X-Forwarded-For': 'unknown, 203.0.113.9' }),
        await ask({ Forwarded: 'for="[2001:db8::1]:4711"' }),
        await ask({ Forwarded: 'for="[2001:db8:0:0:ffff::2]"' }),
        // The proxy itself has no bound.
        ...(await Promise.all(Array.from({ length: 5 }, () => ask({})))),
      ];
      await until('answers under way', () => server.stats.openResponses === under.length);
      for (const fields of [
        { 'X-Forwarded-For': '203.0.113.9' },
        { 'X-Forwarded-For': '203.0.113.200, 203.0.113.9, 127.0.0.1' },
        { 'X-Forwarded-For': '2001:db8::3' },
      ]) {
        const { status, fields: answered } = await (await ask(fields)).answer();
        assert.deepEqual([status, answered['retry-after']], [429, '1']);
      }
      assert.equal((await fetchRaw(port, 'GET', '/none', { 'X-Forwarded-For': '2001:db8:0:1::1' })).status, 404);
      film.available = Infinity;
      await Promise.all(under.map(connection => connection.answer()));
      for (const { socket } of under) socket.destroy();
      await until('no answer', () => server.stats.openResponses === 0);
      assert.equal((await fetchRaw(port, 'GET', '/none', { 'X-Forwarded-For': '203.0.113.9' })).status, 404);
    });

    it('don’t close the connection of others by what they do wrong, which others do to their own', async () => {
      const { port } = await edgeWith(engine, {});
      const proxied = await RawConnection.open(port);
      const own = await RawConnection.open(port);
      for (let round = 1; round <= 8; round++) {
        const passedOn = await proxied.request('PUT', '/film.mp4', { 'X-Forwarded-For': '203.0.113.9' }).answer();
        assert.deepEqual([passedOn.status, passedOn.fields.connection], [405, undefined]);
        const { status, fields } = await own.request('PUT', '/film.mp4').answer();
        assert.deepEqual([status, fields.connection], [405, round === 8 ? 'close' : undefined]);
      }
      assert.equal((await own.rest()).length, 0);
      proxied.socket.destroy();
    });

    it('share the connections of their proxy, which has as many as there are places', {
      skip: outer === undefined,
    }, async () => {
      for (const [clients, most] of [
        [new ClientAddresses([`${outer}/32`]), 6],
        [PROXY, 2],
      ] as const) {
        const { port, server } = await edgeWith(engine, { perClient: 2 }, clients, outer);
        const all = await Promise.all(Array.from({ length: 6 }, () => RawConnection.open(port, outer)));
        const answers = all.map(connection =>
          connection
            .request('GET', '/none')
            .answer()
            .then(
              ({ status }) => status,
              () => 503,
            ),
        );
        assert.equal((await Promise.all(answers)).filter(status => status === 404).length, most);
        for (const { socket } of all) socket.destroy();
        await until('no connection', () => server.stats.openConnections === 0);
      }
    });

    it('take turns at an origin that is busy, however much one of them asks', async () => {
      const host = await BusyHost.start();
      const origin = httpOrigin([host.url], { maxFetches: 1, queue: 100 });
      const { catalog } = new CatalogBench(origin).worker();
      const { port } = await startEdge({ content: catalog }, listening(engine, { clients: PROXY }));
      const opened: RawConnection[] = [];
      let waiting = 0;
      const ask = async (client: string, target: string, fields: Record<string, string> = {}, joins = false) => {
        const connection = await RawConnection.open(port);
        opened.push(connection.request('GET', target, { 'X-Forwarded-For': client, Range: 'bytes=0-9', ...fields }));
        if (!joins) waiting++;
        if (joins) await until('one more that waits', () => catalog.stats.collapsed > 0);
        else await until('one more that waits', () => origin.stats.active + origin.stats.queued === waiting);
      };
      const film = await RawConnection.open(port);
      host.free();
      await film.request('GET', '/film', { Range: 'bytes=0-9' }).answer();
      host.occupy();
      await ask('192.0.2.99', '/first');
      for (let i = 0; i < 5; i++) await ask('203.0.113.1', `/flood/${i}`);
      for (let i = 0; i < 5; i++) await ask(`2001:db8:1:1::${i}`, `/network/${i}`);
      await ask('192.0.2.1', '/missed');
      await ask('2001:db8:1:2::1', '/private');
      await ask('192.0.2.2', '/film', { Range: `bytes=${2 * BLOCK_SIZE}-` });
      await ask('', '/own');
      await ask('192.0.2.3', '/flood/4', {}, true);
      host.free();
      await Promise.all(opened.map(connection => connection.answer()));
      const round = ['/flood/0', '/network/0', '/missed', '/private', '/film', '/own', '/flood/4'];
      assert.deepEqual(host.asked.slice(1, 2 + round.length), ['/first', ...round]);
      assert.equal(host.asked.length, 1 + waiting);
      for (const { socket } of [...opened, film]) socket.destroy();
      await origin.close();
    });

    it('see a loop when the edge is led back to itself, and not when it is another’s', async () => {
      const { port, content } = await startEdge({ name: 'moovedge-1' }, listening(engine));
      content.paths.set('/film.mp4', new FakeObject(contentAt('/film.mp4', 'v1', 0, 10)));
      const ask = async (loop: string) => (await fetchRaw(port, 'GET', '/film.mp4', { 'CDN-Loop': loop })).status;
      assert.deepEqual(
        await Promise.all(['moovedge-2', 'a, moovedge-1; x=1, b', 'moovedge-1'].map(ask)),
        [200, 508, 508],
      );
    });
  });
}

it('a client that the PROXY protocol names has as many connections as it may', async () => {
  const { server } = await edgeWith('node', {});
  const bounds = { ...BOUNDS, perClient: 2 };
  const port = await server.listen('127.0.0.1', 0, listening('node', { clients: PROXY, bounds, proxyProtocol: true }));
  const ask = async (client: string) => {
    const connection = await RawConnection.open(port);
    connection.send(`PROXY TCP4 ${client} 10.0.0.1 4711 80\r\n`).request('GET', '/none');
    const { status } = await connection.answer();
    return { status, connection };
  };
  const first = await ask('203.0.113.1');
  const rest = [await ask('203.0.113.1'), await ask('203.0.113.1'), await ask('203.0.113.2')];
  assert.deepEqual(
    [first, ...rest].map(({ status }) => status),
    [404, 404, 503, 404],
  );
  first.connection.socket.destroy();
  await until('a place', async () => (await ask('203.0.113.1')).status === 404);
  for (const { connection } of rest) connection.socket.destroy();
});
