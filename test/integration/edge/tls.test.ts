import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, get as plainGet } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { connect } from 'node:tls';
import { selfSigned } from '../../support/certificate.js';
import { firstWrong } from '../../support/content.js';
import { Edge, type EdgeOptions } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { freePort } from '../../support/ports.js';

const SIZE = 600_000;

describe('an edge with a certificate', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-tls-'));
  const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const [named, namedKey] = [join(folder, 'named.pem'), join(folder, 'named-key.pem')];
  const tls = `tls: [{certificate: ${certificate}, key: ${key}}, {certificate: ${named}, key: ${namedKey}}]`;
  const first = selfSigned();
  const other = selfSigned(['films.test']);
  let nodePort: number;
  let origin: FaultOrigin;
  let edge: Edge;
  before(async () => {
    install(first);
    installNamed(other);
    nodePort = await freePort();
    origin = await FaultOrigin.start();
    origin.put('/film.mp4', { size: SIZE, version: 'v1', headers: { 'Cache-Control': 'max-age=3600' } });
    edge = await Edge.start(options());
  });
  after(async () => {
    await edge.end();
    await origin.close();
    rmSync(folder, { recursive: true });
  });

  function options(): EdgeOptions {
    const node = `{host: 127.0.0.1, port: ${nodePort}, engine: node, http2: true, ${tls}}`;
    const access = 'access: [{path: /paid/, addresses: {deny: [0.0.0.0/0]}}]';
    const routes = 'routes: [{path: /paid/, pacing: {rate: 64KiB, after: 64KiB}}]';
    return {
      ...{ origin: origin.url, listen: tls, listeners: `${node}, {unix: $FOLDER/http.sock}` },
      settings: `${access}\n${routes}`,
    };
  }

  function installNamed(pair: { cert: string; key: string }): void {
    writeFileSync(named, pair.cert);
    writeFileSync(namedKey, pair.key);
  }

  /** Whether the edge shows the certificate that `ca` has signed to whoever asks for its name, with both engines. */
  async function shows(ca: string, servername: string): Promise<boolean> {
    const asked = [edge.port, nodePort].map(async port => {
      const socket = connect({ host: '127.0.0.1', port, servername, ca });
      try {
        await once(socket, 'secureConnect');
        return true;
      } catch (error) {
        assert.match((error as Error).message, /self-signed certificate|does not match/);
        return false;
      } finally {
        socket.destroy();
      }
    });
    const [uws, node] = await Promise.all(asked);
    assert.equal(uws, node);
    return node === true;
  }

  function install(pair: { cert: string; key: string }): void {
    writeFileSync(certificate, pair.cert);
    writeFileSync(key, pair.key);
  }

  /** A range of the film, from an edge that must show a certificate that `ca` has signed. */
  async function range(ca: string, from: number, to: number): Promise<Buffer> {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { Range: `bytes=${from}-${to - 1}` };
      get({ host: '127.0.0.1', port: edge.port, path: '/film.mp4', ca, headers, agent: false }, resolve).on(
        'error',
        reject,
      );
    });
    assert.equal(answer.statusCode, 206);
    return buffer(answer);
  }

  it('answers over TLS, and nothing else', async () => {
    const body = await range(first.cert, 1000, SIZE);
    assert.equal(body.length, SIZE - 1000);
    assert.equal(firstWrong(body, '/film.mp4', 'v1', 1000), -1);
    await assert.rejects(edge.get('/film.mp4'));
  });

  /** Lines that tell of a prefetch. */
  async function prefetch(path: string): Promise<unknown[]> {
    const response = await fetch(`${edge.admin}/prefetch`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ urls: [path] }),
    });
    return (await response.text())
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
  }

  it('fills its cache with what no player may have, as fast as it comes', async () => {
    origin.put('/paid/film.mp4', { size: SIZE, version: 'v1', headers: { 'Cache-Control': 'max-age=3600' } });
    const lines = await prefetch('/paid/film.mp4');
    assert.deepEqual(lines.at(-2), { url: '/paid/film.mp4', bytes: SIZE, total: SIZE, end: 'ok' });
  });

  it('fills its cache through its own port, and says https to the demo player', async () => {
    const lines = await prefetch('/film.mp4');
    assert.deepEqual(lines.slice(-2), [{ url: '/film.mp4', bytes: SIZE, total: SIZE, end: 'ok' }, { done: true }]);
    const player = await fetch(`${edge.admin}/player`);
    assert.match(player.headers.get('content-security-policy') ?? '', /media-src https:/);
    assert.match(await player.text(), /data-player-scheme="https"/);
  });

  it('takes a renewed certificate at a reload, and keeps the old one when the new one is wrong', async () => {
    const second = selfSigned();
    install({ cert: second.cert, key: first.key });
    edge.signal('SIGHUP');
    await edge.logged('the configuration was not reloaded');
    await edge.logged(/edge\.yaml:1:\d+: listen\[0\]\.tls\[0\]\.key: expected the private key of/);
    await range(first.cert, 0, 10);
    assert.deepEqual([await shows(first.cert, 'localhost'), await shows(other.cert, 'films.test')], [true, true]);
    const renewed = selfSigned(['films.test']);
    install(second);
    installNamed(renewed);
    edge.signal('SIGHUP');
    await edge.logged('the old workers are gone');
    assert.deepEqual([await shows(second.cert, 'localhost'), await shows(renewed.cert, 'films.test')], [true, true]);
    assert.deepEqual([await shows(first.cert, 'localhost'), await shows(other.cert, 'films.test')], [false, false]);
    assert.equal(firstWrong(await range(second.cert, 0, SIZE), '/film.mp4', 'v1', 0), -1);
    await assert.rejects(range(first.cert, 0, 10), /self-signed certificate/);
  });

  it('hands its Unix socket to an edge that takes over, and refuses nobody meanwhile', async () => {
    const socketPath = join(edge.folder, 'http.sock');
    const ask = () =>
      new Promise<number | undefined>((resolve, reject) => {
        plainGet({ socketPath, path: '/film.mp4', headers: { Range: 'bytes=0-9' }, agent: false }, answer => {
          answer.resume().on('end', () => resolve(answer.statusCode));
        }).on('error', reject);
      });
    let isOver = false;
    let count = 0;
    const asking = (async () => {
      for (; !isOver; count++) assert.equal(await ask(), 206);
    })();
    const newer = await Edge.start({ ...options(), ports: edge, folder: edge.folder, takeOver: true });
    try {
      await Promise.race([asking, edge.exited]);
      isOver = true;
      await asking;
      assert.ok(count > 0);
      assert.equal(await ask(), 206);
      assert.equal(await newer.stop(), 0);
      assert.equal(existsSync(socketPath), false, 'it is its own to remove');
    } finally {
      await newer.killAll();
    }
  });
});
