import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { selfSigned } from '../../support/certificate.js';
import { firstWrong } from '../../support/content.js';
import { Edge } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';

const SIZE = 600_000;

describe('an edge with a certificate', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-tls-'));
  const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const first = selfSigned();
  let origin: FaultOrigin;
  let edge: Edge;
  before(async () => {
    install(first);
    origin = await FaultOrigin.start();
    origin.put('/film.mp4', { size: SIZE, version: 'v1', headers: { 'Cache-Control': 'max-age=3600' } });
    edge = await Edge.start({ origin: origin.url, listen: `tls: {certificate: ${certificate}, key: ${key}}` });
  });
  after(async () => {
    await edge.end();
    await origin.close();
    rmSync(folder, { recursive: true });
  });

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

  it('fills its cache through its own port, and says https to the demo player', async () => {
    const response = await fetch(`${edge.admin}/prefetch`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ urls: ['/film.mp4'] }),
    });
    const lines = (await response.text())
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
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
    await edge.logged(/edge\.yaml:1:\d+: listen\.tls\.key: expected the private key of/);
    await range(first.cert, 0, 10);
    install(second);
    edge.signal('SIGHUP');
    await edge.logged('the old workers are gone');
    assert.equal(firstWrong(await range(second.cert, 0, SIZE), '/film.mp4', 'v1', 0), -1);
    await assert.rejects(range(first.cert, 0, 10), /self-signed certificate/);
  });
});
