import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EdgeError } from '../../../src/base/errors.js';
import { createHttpServer } from '../../../src/http/server.js';
import { selfSigned } from '../../support/certificate.js';
import { contentAt } from '../../support/content.js';
import { DEFAULTS } from '../../support/defaults.js';
import { FakeContent, FakeObject, plainFiles } from '../../support/fake-content.js';
import { startEdge } from '../../support/http-edge.js';

test('the port speaks TLS when it has a certificate', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-tls-'));
  try {
    const { cert, key } = selfSigned();
    const names = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    writeFileSync(names.cert, cert);
    writeFileSync(names.key, key);
    const { content, port } = await startEdge({ tls: names });
    const film = new FakeObject(contentAt('/film.mp4', 'v1', 0, 5_000_000));
    content.paths.set('/film.mp4', film);
    const body = await new Promise<Buffer>((resolve, reject) => {
      const chunks: Buffer[] = [];
      request(
        { host: '127.0.0.1', port, path: '/film.mp4', ca: cert, headers: { Range: 'bytes=1-' }, agent: false },
        answer => {
          assert.equal(answer.statusCode, 206);
          answer.on('data', chunk => chunks.push(chunk));
          answer.on('end', () => resolve(Buffer.concat(chunks)));
        },
      )
        .on('error', reject)
        .end();
    });
    assert.ok(body.equals(film.bytes.subarray(1)));
    assert.deepEqual(film.faults, []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a certificate that can't be used is an error that names it", () => {
  assert.throws(
    () =>
      createHttpServer({
        ...DEFAULTS.http,
        content: new FakeContent(),
        ...plainFiles,
        tls: { cert: '/nonexistent/cert.pem', key: '/nonexistent/key.pem' },
      }),
    (error: unknown) =>
      error instanceof EdgeError && error.code === 'bad_config' && error.message.includes('/nonexistent/cert.pem'),
  );
});
