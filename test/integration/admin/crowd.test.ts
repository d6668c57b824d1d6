import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { AdminServer } from '../../../src/admin/admin-server.js';
import { silentLog } from '../../../src/base/log.js';

const server = new AdminServer({
  host: '127.0.0.1',
  port: 0,
  token: undefined,
  log: silentLog,
  routes: {
    'GET /healthz': { open: true, answer: ({ response }) => void response.end('ok') },
    'GET /never': { open: true, answer: () => {} },
  },
});
const port = await server.listen();
after(() => server.close());

/** Opens `count` connections that send `text` and nothing more. */
async function crowd(count: number, text: string): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => {}));
  await Promise.all(sockets.map(socket => once(socket, 'connect')));
  for (const socket of sockets) socket.write(text);
  return sockets;
}

for (const [kind, text] of [
  ['are silent', ''],
  ['have sent half a head', 'GET /healthz HTTP/1.1\r\nHost: loc'],
  ['have been answered', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['wait for an answer that never comes', 'GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n'],
] as const) {
  test(`health is told whatever connections do that ${kind}`, async () => {
    const sockets = await crowd(600, text);
    for (let probe = 0; probe < 5; probe++) {
      const response = await fetch(`http://127.0.0.1:${port}/healthz`, { headers: { Connection: 'close' } });
      assert.equal(await response.text(), 'ok');
    }
    for (const socket of sockets) socket.destroy();
  });
}

test('those that are answered outlive those that are idle', async () => {
  const [asking] = await crowd(1, 'GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await fetch(`http://127.0.0.1:${port}/healthz`);
  const sockets = await crowd(600, '');
  assert.equal(asking!.closed, false);
  for (const socket of [asking!, ...sockets]) socket.destroy();
});
