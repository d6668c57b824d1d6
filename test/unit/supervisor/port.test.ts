import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { after, test } from 'node:test';
import { requireFreePort } from '../../../src/supervisor/port.js';

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

async function listen(): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return { server, port: (server.address() as { port: number }).port };
}

test('a port that is let go between two looks is free', async () => {
  const { server, port } = await listen();
  let looks = 0;
  await requireFreePort('127.0.0.1', port, () => {
    looks++;
    server.close();
    return [];
  });
  assert.equal(looks, 1);
});

test('workers that a dead supervisor has left behind may take a while to end, also when they are not seen any more', async () => {
  const { server, port } = await listen();
  const orphan = { pid: 2 ** 30, name: 'moovedge worker', parent: 2 ** 30 };
  const begun = performance.now();
  let unseen = 0;
  await requireFreePort('127.0.0.1', port, () => {
    if (performance.now() - begun < 1100) return [orphan];
    if (++unseen === 3) server.close();
    return [];
  });
  assert.equal(unseen, 3);
});

test('a port that a program holds is refused, also when the program can not be seen', async () => {
  const { port } = await listen();
  await assert.rejects(requireFreePort('127.0.0.1', port), { code: 'port', message: /pid \d+/ });
  await assert.rejects(
    requireFreePort('127.0.0.1', port, () => []),
    { code: 'port', message: /another program/ },
  );
});
