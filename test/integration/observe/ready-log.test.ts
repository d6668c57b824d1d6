import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, it } from 'node:test';
import { Edge } from '../../support/edge.js';
import { RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const BYTES = Buffer.alloc(100_000, 7);
const FILE_SETTINGS = 'access: $FOLDER/access.log';

const origin = createServer((_, res) => {
  res.writeHead(200, { ETag: '"1"', 'Cache-Control': 'max-age=600', 'Content-Length': BYTES.length }).end(BYTES);
});
let edge: Edge;
before(async () => {
  await new Promise<void>(resolve => origin.listen(0, '127.0.0.1', resolve));
  const { port } = origin.address() as AddressInfo;
  edge = await Edge.start({ origin: `http://127.0.0.1:${port}`, settings: `log: {${FILE_SETTINGS}}` });
});
after(async () => {
  await edge.end();
  origin.close();
  origin.closeAllConnections();
});

const lines = () => readFileSync(`${edge.folder}/access.log`, 'utf8').split('\n').slice(0, -1);

/** Asks so often by one connection, and most of that is answered by the gate. */
async function ask(count: number, name: string): Promise<void> {
  const connection = await RawConnection.open(edge.port);
  for (let i = 0; i < count; i++) {
    connection.request('GET', '/film.mp4', { Range: `bytes=${i}-${i + 9}`, 'User-Agent': `${name}-${i}` });
    assert.equal((await connection.answer()).status, 206);
  }
  connection.socket.destroy();
}

it('has a line of each answer, whatever becomes of its format while answers are ready', async () => {
  await edge.get('/film.mp4');
  await ask(200, 'json');
  const stats = (await edge.stats()) as unknown as { workers: { stats: { http: { readyAnswers: number } } }[] };
  assert.ok(JSON.stringify(stats).includes('"readyAnswers":'));
  const ready = [...JSON.stringify(stats).matchAll(/"readyAnswers":(\d+)/g)].map(found => Number(found[1]));
  assert.ok(Math.max(...ready) > 100, `${ready} answers were ready`);
  edge.configure(`log: {${FILE_SETTINGS}, accessFormat: "{status} {range} {bytes} {userAgent}"}`);
  const before = edge.workers;
  edge.signal('SIGHUP');
  await until('a reload', () => edge.workers.length > 0 && edge.workers.every(pid => !before.includes(pid)));
  await ask(200, 'text');
  for (const [name, pattern] of [
    ['json', /^\{.*"status":206,"bytes":10,.*"outcome":"memory",.*"userAgent":"json-(\d+)"/],
    ['text', /^206 bytes=\d+-\d+ 10 text-(\d+)$/],
  ] as const) {
    const found = await until(`all lines of ${name}`, () => {
      const numbers = lines()
        .map(line => pattern.exec(line)?.[1])
        .filter(number => number !== undefined);
      return numbers.length >= 200 && numbers;
    });
    assert.deepEqual(
      found.map(Number).sort((a, b) => a - b),
      Array.from({ length: 200 }, (_, i) => i),
    );
  }
});
