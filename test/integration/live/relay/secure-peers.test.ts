import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { get as getSecurely } from 'node:https';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FlvReader } from '../../../../src/live/relay/flv-reader.js';
import { certificateFiles } from '../../../support/certificate.js';
import { clusterSettings } from '../../../support/cluster-settings.js';
import { Edge } from '../../../support/edge.js';
import { Etcd } from '../../../support/etcd.js';
import { audio, video } from '../../../support/flv.js';
import { LiveEdge } from '../../../support/live-edge.js';
import { freePorts } from '../../../support/ports.js';
import { PUBLISHERS, RtmpPublisher } from '../../../support/rtmp-publisher.js';
import { until } from '../../../support/until.js';

/* Edges that know one another by certificates alone. */

const SAMPLES = fileURLToPath(new URL('../../../../src/samples', import.meta.url));
const NAME = 'studio/secure';

test('a stream comes from another edge by mutual TLS, and to nobody without a certificate', async () => {
  const etcd = await Etcd.start();
  const ports = await freePorts(4);
  const { files } = certificateFiles();
  const listen = `, tls: ${JSON.stringify({ ca: files.cert, ...files })}`;
  const edges = await Promise.all(
    [0, 1].map(at =>
      Edge.start({
        origin: SAMPLES,
        settings:
          clusterSettings({ id: `edge-${at + 1}`, port: ports[at]!, endpoints: etcd.urls, listen }) +
          LiveEdge.settings(ports[2 + at]!, 'grace: 60s'),
      }),
    ),
  );
  after(async () => {
    for (const edge of edges) await edge.end();
    await etcd.end();
  });
  const publisher = await RtmpPublisher.publish(ports[2]!, NAME, PUBLISHERS.obs);
  publisher.media(9, 0, video('config', 20, 1));
  publisher.media(8, 0, audio('config', 2, 1));
  let at = 0;
  const sending = setInterval(() => {
    publisher.media(9, at * 40, video(at % 10 === 0 ? 'key' : 'inter', 3000, at));
    publisher.media(8, at * 40, audio('frame', 90, at++));
  }, 40);
  after(() => clearInterval(sending));
  const response = await until('the stream at the other edge', async () => {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${edges[1]!.url}/live/${NAME}.flv`, { agent: false }, resolve).once('error', reject);
    });
    if (answer.statusCode === 200) return answer;
    answer.destroy();
    return undefined;
  });
  const times: number[] = [];
  const reader = new FlvReader((type, timestamp, body) => {
    if (type === 9 && body[1] === 1) times.push(timestamp);
  });
  response.on('data', (chunk: Buffer) => reader.push(chunk));
  await until('pictures', () => times.length > 60);
  assert.deepEqual(
    times,
    times.map((_, which) => times[0]! + 40 * which),
  );
  const { services } = await edges[1]!.stats();
  const { live = [] } = services as { live?: readonly { from?: string }[] };
  assert.equal(live[0]?.from, 'edge-1');
  // Nobody else gets it from that port.
  const stranger = await new Promise<IncomingMessage>((resolve, reject) => {
    const place = { host: '127.0.0.1', port: ports[0]!, path: `/live/${NAME}.flv?start=segment` };
    getSecurely({ ...place, rejectUnauthorized: false, agent: false }, resolve).once('error', reject);
  });
  stranger.resume();
  assert.deepEqual([stranger.statusCode, stranger.headers['moovedge-refused']], [403, 'certificate']);
  response.destroy();
});
