import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import { EDGE_ITSELF } from '../../../../src/base/asker.js';
import type { EdgeError } from '../../../../src/base/errors.js';
import { Askers } from '../../../../src/origin/askers.js';
import type { HttpOrigin } from '../../../../src/origin/http/http-origin.js';
import { httpOrigin } from '../../../support/http-origin.js';
import { until } from '../../../support/until.js';

const BODY = Buffer.from('a film');

/** A server that says of itself whether it is well, and answers films whatever it says. */
class CheckedHost {
  readonly checks: string[] = [];
  readonly films: string[] = [];
  status = 200;
  isSilent = false;
  url = '';
  readonly #server: Server;

  constructor() {
    this.#server = createServer((req, res) => {
      const isCheck = req.url!.includes('healthz');
      (isCheck ? this.checks : this.films).push(`${req.url} ${req.headers['user-agent']} ${req.headers['x-edge']}`);
      if (isCheck && this.isSilent) return;
      res.writeHead(isCheck ? this.status : 200, { ETag: '"1"' }).end(BODY);
    });
    after(() => {
      this.#server.closeAllConnections();
      this.#server.close();
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/base`;
    return this;
  }
}

const hosts = () => Promise.all([new CheckedHost().listen(), new CheckedHost().listen()]);
const health = { path: '/healthz?edge', interval: 20, timeout: 10_000, failures: 2, successes: 2 };

function read(origin: HttpOrigin, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    origin.fetch(
      { path, query: '', range: undefined, condition: undefined, fields: {}, askers: new Askers(EDGE_ITSELF) },
      { answered() {}, bytes() {}, ended: resolve, failed: (error: EdgeError) => reject(error) },
    );
  });
}

describe('active health checks', () => {
  it('keep requests from a server that is down, and bring it back', async () => {
    const [first, second] = await hosts();
    const origin = httpOrigin([first!.url, second!.url], { health, headers: { 'X-Edge': 'e' } });
    after(() => origin.close());
    const state = (i: number) => origin.stats.replicas[i]?.health?.state;
    await until('both are up', () => state(0) === 'up' && state(1) === 'up');
    assert.equal(first!.checks[0], '/base/healthz?edge moovedge-health e');
    await read(origin, '/a.mp4');
    assert.equal(first!.films.length, 1);
    first!.status = 503;
    await until('the first is down', () => state(0) === 'down');
    assert.equal(origin.stats.replicas[0]?.health?.last, 503);
    await read(origin, '/b.mp4');
    assert.deepEqual([first!.films.length, second!.films.length], [1, 1]);
    second!.status = 500;
    await until('the second is down', () => state(1) === 'down');
    await read(origin, '/c.mp4');
    assert.equal(first!.films.length + second!.films.length, 3, 'where none is up, one is asked all the same');
    first!.status = 204;
    await until('the first is up', () => state(0) === 'up');
    await read(origin, '/d.mp4');
    assert.equal(first!.films.at(-1)?.split(' ')[0], '/base/d.mp4');
  });

  it('tell of silence and of nobody there', async () => {
    const [host] = await hosts();
    host!.isSilent = true;
    const origin = httpOrigin([host!.url, 'http://127.0.0.1:1'], { health: { ...health, timeout: 20 } });
    after(() => origin.close());
    await until('both are down', () => origin.stats.replicas.every(each => each.health?.state === 'down'));
    const [silent, nobody] = origin.stats.replicas;
    assert.equal(silent?.health?.last, 'timeout');
    assert.equal(typeof nobody?.health?.last, 'string');
    assert.ok(silent?.health?.checkedAt);
  });

  it('are not made unless they are asked for', async () => {
    const [host] = await hosts();
    const origin = httpOrigin([host!.url]);
    after(() => origin.close());
    await read(origin, '/a.mp4');
    assert.equal(origin.stats.replicas[0]?.health, undefined);
    assert.deepEqual(host!.checks, []);
  });
});

describe('a shield', () => {
  it('is asked before all servers, and they when it fails', async () => {
    const [server, shield] = await hosts();
    for (const balance of ['ordered', 'weighted'] as const) {
      const origin = httpOrigin([server!.url], { shield: shield!.url, balance });
      server!.films.length = 0;
      shield!.films.length = 0;
      for (let i = 0; i < 4; i++) await read(origin, `/${i}.mp4`);
      assert.deepEqual([shield!.films.length, server!.films.length], [4, 0], balance);
      await origin.close();
    }
    const origin = httpOrigin([server!.url], { shield: 'http://127.0.0.1:1/' });
    after(() => origin.close());
    await read(origin, '/a.mp4');
    assert.equal(server!.films.length, 1);
  });
});
