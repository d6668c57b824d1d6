import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { AdminServer } from '../../../src/admin/admin-server.js';
import { type ClusterAdmin, clusterRoutes } from '../../../src/admin/cluster-routes.js';
import { silentLog } from '../../../src/base/log.js';
import { programPath } from '../../packages.mjs';
import { freePort } from '../../support/ports.js';
import { until } from '../../support/until.js';

/** What the agent is to say. */
const edge = { ready: true, draining: false, share: 100 as number | undefined };
const cluster = {
  get draining() {
    return edge.draining;
  },
  get share() {
    return edge.share;
  },
} as ClusterAdmin;
const routes = clusterRoutes({
  get ready() {
    return edge.ready;
  },
  cluster: () => cluster,
  stats: async () => ({}),
});
const admin = new AdminServer({ host: '127.0.0.1', port: 0, token: undefined, routes, log: silentLog });
const port = await admin.listen();
after(() => admin.close());

it('HTTP/0.9 gets the words and nothing else', async () => {
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /health/agent\r\n\r\n'));
    let answer = '';
    socket.setEncoding('utf8').on('data', part => {
      answer += part;
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
  assert.equal(text, '100% ready\n');
});

it('HAProxy weighs, drains, stops and takes back by what it is told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-haproxy-'));
  const player = createServer((_, response) => response.end());
  await new Promise<void>(resolve => player.listen(0, '127.0.0.1', resolve));
  const { port: playerPort } = player.address() as { port: number };
  const stats = await freePort();
  const file = join(folder, 'haproxy.cfg');
  const agent = `agent-check agent-port ${port} agent-inter 200ms agent-send "GET /health/agent\\r\\n\\r\\n"`;
  writeFileSync(
    file,
    `defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend stats
  bind 127.0.0.1:${stats}
  stats enable
  stats uri /stats
backend edges
  server edge 127.0.0.1:${playerPort} weight 100 ${agent}
`,
  );
  const haproxy = spawn(programPath('haproxy')!, ['-f', file, '-db'], { stdio: 'ignore' });
  try {
    /** Status and weight of the server, as HAProxy tells them. */
    const seen = async () => {
      const text = await (await fetch(`http://127.0.0.1:${stats}/stats;csv`)).text();
      const [head = '', ...rows] = text.replace('# ', '').split('\n');
      const row = rows.find(each => each.startsWith('edges,edge,'))?.split(',') ?? [];
      const column = (name: string) => row[head.split(',').indexOf(name)];
      return `${column('status')} ${column('weight')}`;
    };
    const shows = (wanted: RegExp) =>
      until(`HAProxy to show ${wanted}`, async () => wanted.test(await seen().catch(() => '')), 10);
    await shows(/^(UP|no check) 100$/);
    edge.share = 40;
    await shows(/^(UP|no check) 40$/);
    edge.draining = true;
    await shows(/^DRAIN /);
    edge.draining = false;
    edge.share = 5;
    await shows(/^(UP|no check) 5$/);
    edge.ready = false;
    await shows(/^MAINT/);
    edge.ready = true;
    edge.share = 100;
    await shows(/^(UP|no check) 100$/);
  } finally {
    haproxy.kill('SIGKILL');
    player.close();
    rmSync(folder, { recursive: true });
  }
});
