import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ownAddress } from '../../../../src/app/services/player-address.js';
import { nextRun, shownList, type WarmSettings, warmUp } from '../../../../src/app/services/warm-list.js';
import { WarmService } from '../../../../src/app/services/warm-service.js';
import type { Log } from '../../../../src/base/log.js';
import { loadConfig } from '../../../../src/config/load.js';
import { Metrics } from '../../../../src/observe/metrics.js';
import { selfSigned } from '../../../support/certificate.js';
import { until } from '../../../support/until.js';

const HOUR = 3_600_000;
const SETTINGS: WarmSettings = {
  ...{ list: '', every: 24 * HOUR, at: 0, atStart: false, first: undefined, hls: false, rate: undefined },
};

const lines: { fields: Record<string, unknown>; text: string }[] = [];
const note = (fields: object, text: string) => void lines.push({ fields: { ...fields }, text });
const log: Log = { debug: note, info: note, warn: note, error: note };

const asked: string[] = [];
const edge = createServer((req, res) => {
  asked.push(`${req.headers.host?.replace(/:\d+$/, '')} ${req.url}`);
  if (req.url === '/list') res.end('/from/url.mp4\n');
  else if (req.url?.startsWith('/gone')) res.writeHead(404).end();
  else res.end(Buffer.alloc(100_000));
});
await new Promise<void>(resolve => edge.listen(0, '127.0.0.1', resolve));
after(() => edge.close());
const { port } = edge.address() as AddressInfo;
const address = { scheme: 'http', host: '127.0.0.1', port, key: '' } as const;
const folder = mkdtempSync(join(tmpdir(), 'moovedge-test-'));
after(() => rmSync(folder, { recursive: true }));
const list = join(folder, 'warm.txt');

const run = (settings: Partial<WarmSettings>, signal = new AbortController().signal) => {
  asked.length = 0;
  lines.length = 0;
  return warmUp({ ...SETTINGS, ...settings }, address, log, signal);
};

describe('warm lists', () => {
  it('are due at moments of the day, whenever the edge has started', () => {
    const at = (time: string) => Date.parse(`2026-11-26T${time}Z`);
    const next = (every: number, offset: number, after: string) =>
      new Date(nextRun({ every, at: offset }, at(after))).toISOString().slice(0, 16);
    assert.equal(next(24 * HOUR, 4 * HOUR, '03:59:59'), '2026-11-26T04:00');
    assert.equal(next(24 * HOUR, 4 * HOUR, '04:00:00'), '2026-11-27T04:00', 'not twice');
    assert.equal(next(HOUR, 0, '04:00:01'), '2026-11-26T05:00');
    assert.equal(next(HOUR, HOUR / 2, '04:31:00'), '2026-11-26T05:30');
  });

  it('name URLs and paths, are fetched as players would, and tell what could not be', async () => {
    const good = ['# tonight', '', '/films/a.mp4?v=1', '  https://films.example.com/b.mp4  '];
    writeFileSync(list, [...good, 'c.mp4', '/gone', ''].join('\r\n'));
    const { urls, failed, bytes, error } = await run({ list, first: 60_000 });
    assert.deepEqual({ urls, failed, bytes, error }, { urls: 2, failed: 2, bytes: 200_000, error: undefined });
    assert.deepEqual(asked.toSorted(), [
      '127.0.0.1 /films/a.mp4?v=1&start=0&end=60',
      '127.0.0.1 /gone?start=0&end=60',
      'films.example.com /b.mp4?start=0&end=60',
    ]);
    const reasons = lines.filter(({ text }) => text === 'a URL of a warm list was not fetched');
    assert.deepEqual(
      reasons.map(({ fields }) => [fields.url, /status 404|a path/.exec(String(fields.reason))?.[0]]),
      [
        ['c.mp4', 'a path'],
        ['/gone?start=0&end=60', 'status 404'],
      ],
    );
  });

  it('come from a URL, too', async () => {
    const { urls } = await run({ list: `http://127.0.0.1:${port}/list` });
    assert.deepEqual([urls, asked.at(-1)], [1, '127.0.0.1 /from/url.mp4']);
    assert.equal(shownList({ list: 'https://a:b@cms/list?token=c' }), 'https://[redacted]@cms/list?token=[redacted]');
  });

  it('that can not be read are told of, and nothing is fetched', async () => {
    assert.match((await run({ list: join(folder, 'none') })).error!, /ENOENT/);
    assert.match((await run({ list: `http://127.0.0.1:${port}/gone` })).error!, /found status 404/);
    assert.deepEqual(lines.at(-1)?.text, 'a warm list can not be read');
  });

  it('take no more bytes a second than they may', async () => {
    writeFileSync(list, '/a.mp4\n/b.mp4\n/c.mp4\n');
    const started = performance.now();
    await run({ list, rate: 400_000 });
    assert.ok(performance.now() - started > 400, 'the last of 300,000 bytes is due after 0.5 s or more');
  });

  it('are fetched once the edge serves, and again when a reload brings others', async () => {
    writeFileSync(list, '/at/start.mp4\n');
    asked.length = 0;
    const file = join(folder, 'edge.yaml');
    const configOf = (warm: string) => {
      writeFileSync(file, `listen: {host: 127.0.0.1, port: ${port}}\norigins: [{name: a, url: .}]\nwarm: ${warm}\n`);
      return loadConfig({ file, flags: [], env: {} });
    };
    const config = configOf('[{list: warm.txt, atStart: true}]');
    let isServing = false;
    const metrics = new Metrics();
    const service = new WarmService({ config, log, metrics, alive: () => isServing });
    const stats = () => service.stats() as { list: string; next: number; last?: { urls: number } }[] | undefined;
    service.start();
    assert.deepEqual([stats()![0]!.list, asked], [list, []], 'nobody serves yet');
    isServing = true;
    await until('a run', () => stats()![0]!.last?.urls === 1);
    assert.deepEqual(asked, ['127.0.0.1 /at/start.mp4']);
    service.reconfigure(config);
    assert.equal(stats()![0]!.last?.urls, 1, 'the lists are the same');
    service.reconfigure(configOf('[]'));
    assert.equal(stats(), undefined);
    service.stop();
  });

  it('are fetched at a port where nobody has to show a certificate, and as a proxy where only proxies are heard', () => {
    const at = (listen: string) => {
      const file = join(folder, 'edge.yaml');
      writeFileSync(file, `listen: ${listen}\norigins: [{name: a, url: .}]\ntrusted: [127.0.0.1, 10.0.0.0/8]\n`);
      const { host, port, preface } = ownAddress(loadConfig({ file, flags: [], env: {} }));
      return [host, port, preface];
    };
    const header = 'PROXY UNKNOWN\r\n';
    assert.deepEqual(at('[{unix: a.sock}, {port: 81}]'), ['0.0.0.0', 81, undefined]);
    assert.deepEqual(at('[{port: 81, proxyProtocol: true}]'), ['0.0.0.0', 81, header]);
    assert.deepEqual(at('[{host: 10.0.0.1, port: 81, proxyProtocol: true}]'), ['10.0.0.1', 81, header]);
    assert.deepEqual(at('[{host: 192.0.2.1, port: 81, proxyProtocol: true}]'), ['192.0.2.1', 81, undefined]);
    const trusted = '[{port: 81, proxyProtocol: true, trusted: [192.0.2.7]}]';
    assert.deepEqual(at(trusted), ['0.0.0.0', 81, undefined]);
    const { cert, key } = selfSigned();
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key);
    const tls = 'tls: {certificate: cert.pem, key: key.pem}, clientCa: cert.pem';
    const strict = `{port: 81, engine: node, ${tls}}`;
    assert.deepEqual(at(`[${strict}, {port: 82, ${tls}}]`), ['0.0.0.0', 82, undefined]);
    assert.deepEqual(at(`[${strict}]`), ['0.0.0.0', 81, undefined]);
  });
});
