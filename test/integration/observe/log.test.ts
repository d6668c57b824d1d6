import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ACCESS_FIELDS, unknownField } from '../../../src/base/access-fields.js';
import { EdgeError } from '../../../src/base/errors.js';
import { accessFormat } from '../../../src/observe/access-format.js';
import { AccessLog } from '../../../src/observe/access-log.js';
import { createLog } from '../../../src/observe/log.js';
import { until } from '../../support/until.js';

const folder = mkdtempSync(path.join(tmpdir(), 'moovedge-log-'));
after(() => rmSync(folder, { recursive: true }));

function lines(file: string): Record<string, unknown>[] {
  const text = readFileSync(file, 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line));
}

const entry = {
  time: Date.UTC(2026, 0, 2),
  id: 'p-1',
  client: '192.0.2.1',
  method: 'GET',
  host: 'edge',
  url: '/a.mp4?token=secret&x=1',
  protocol: 'HTTP/1.1',
  status: 206,
  bytes: 100,
  seconds: 0.5,
  ttfb: 0.001,
  end: 'whole',
  outcome: 'memory',
  range: 'bytes=0-99',
  referer: undefined,
  agent: 'test "quoted"\n',
  origin: 'main',
  route: undefined,
  error: undefined,
} as const;

const all = { format: 'json', sample: 1 };

test('lines bear level, process, fields and the causes of errors, and no secret', () => {
  const file = path.join(folder, 'log');
  const fd = openSync(file, 'w');
  const log = createLog({ level: 'info', format: 'auto', process: 'worker 3', fd });
  log.debug({}, 'not this');
  log.info({ origin: 'a', url: 'http://u:p@h/' }, 'asked');
  log.error({ error: new EdgeError('origin_timeout', 'late', { cause: new Error('below') }) }, 'failed');
  log.setLevel('debug');
  log.debug({}, 'this');
  log.flush();
  const line = (text: string) => lines(file).find(each => each.text === text);
  const [asked, failed, last] = [line('asked'), line('failed'), line('this')];
  assert.equal(asked?.level, 'info');
  assert.equal(asked?.process, 'worker 3');
  assert.equal(asked?.url, 'http://[redacted]@h/');
  assert.match(JSON.stringify(failed), /late.*below/);
  assert.match(JSON.stringify(failed), /"code":"origin_timeout"/);
  assert.equal(last?.level, 'debug');
  assert.equal(line('not this'), undefined);
  closeSync(fd);
});

test('text for people has time, level, process, sentence, fields and the stack', () => {
  const file = path.join(folder, 'text');
  const fd = openSync(file, 'w');
  const log = createLog({ level: 'info', format: 'text', process: 'supervisor', fd });
  log.warn({ worker: 2, how: 'SIGKILL' }, 'a worker died');
  log.error({ error: new Error('oops') }, 'failed');
  log.flush();
  assert.match(
    readFileSync(file, 'utf8'),
    /^\d\d:\d\d:\d\d\.\d{3} warn {2}supervisor: a worker died worker=2 how=SIGKILL\n.*error supervisor: failed\n {4}Error: oops\n {8}at /,
  );
  closeSync(fd);
});

test('an access log is a JSON line per answer, and goes on in a new file after it was renamed', async () => {
  const file = path.join(folder, 'access.log');
  const log = new AccessLog(file, all);
  log.write(entry);
  await until('the first line', () => (lines(file).length === 1 ? true : undefined));
  renameSync(file, `${file}.1`);
  log.reopen();
  await until('a new file', () => {
    log.write({ ...entry, status: 200 });
    try {
      return lines(file).length > 0 ? true : undefined;
    } catch {
      return undefined;
    }
  });
  log.close();
  const [first] = lines(`${file}.1`);
  // The fields of docs/operations/observe.md, in their order.
  assert.deepEqual(Object.entries(first!), [
    ['time', '2026-01-02T00:00:00.000Z'],
    ['id', 'p-1'],
    ['client', '192.0.2.1'],
    ['method', 'GET'],
    ['host', 'edge'],
    ['path', '/a.mp4'],
    ['query', 'token=[redacted]&x=1'],
    ['status', 206],
    ['bytes', 100],
    ['seconds', 0.5],
    ['firstByteSeconds', 0.001],
    ['outcome', 'memory'],
    ['origin', 'main'],
    ['route', null],
    ['userAgent', entry.agent],
    ['referer', null],
    ['error', null],
  ]);
  assert.ok(lines(file).every(({ status }) => status === 200));
  assert.equal(log.dropped, 0);
});

test('an access log whose disk is full costs lines, which are counted, and nothing else', async () => {
  const log = new AccessLog('/dev/full', all);
  for (let i = 0; i < 100; i++) log.write(entry);
  await until('a loss', () => (log.dropped > 0 ? true : undefined));
  log.write(entry);
  log.close();
});

test('an access log that can not be written is told at once', () => {
  assert.throws(() => new AccessLog('/no/where/access.log', all), {
    code: 'bad_config',
    message: /can't write \/no\/where\/access\.log: ENOENT/,
  });
});

test('a log that nobody reads does not grow without end', async () => {
  const file = path.join(folder, 'never');
  const log = new AccessLog(file, all);
  const long = { ...entry, agent: 'x'.repeat(60_000) };
  for (let i = 0; i < 1000; i++) log.write(long);
  assert.ok(log.dropped > 0, 'lines beyond 16 MiB in one turn of the event loop are dropped');
  log.close();
});

test('formats: combined, and templates, whose values can not end a field or a line', () => {
  const combined = accessFormat('combined');
  assert.equal(
    combined({ ...entry, referer: 'https://page.example/?token=s3cret' }),
    '192.0.2.1 - - [02/Jan/2026:00:00:00 +0000] "GET /a.mp4?token=[redacted]&x=1 HTTP/1.1" 206 100 ' +
      '"https://page.example/?token=[redacted]" "test \\x22quoted\\x22\\x0A"\n',
  );
  const own = accessFormat('{id} {status} {route} {seconds} {range} {end} <{query}> {error}', new Set(['x']));
  assert.equal(
    own({ ...entry, route: '*/films/', error: 'forbidden: expired' }),
    'p-1 206 */films/ 0.500000 bytes=0-99 whole <token=[redacted]&x=[redacted]> forbidden: expired\n',
  );
  assert.equal(unknownField('{client} {nothing}'), 'nothing');
  assert.equal(unknownField('{client} {}'), '');
  assert.equal(unknownField(`${ACCESS_FIELDS.map(name => `{${name}}`).join('')} text { }`), undefined);
});

test('of a sample those that ended badly are never left out', () => {
  const file = path.join(folder, 'sample');
  const log = new AccessLog(file, { format: '{id}', sample: 0 });
  for (let i = 0; i < 100; i++) log.write(entry);
  log.write({ ...entry, id: 'bad', error: 'the client left' });
  log.close();
  assert.equal(readFileSync(file, 'utf8'), 'bad\n');
  const half = new AccessLog(`${file}.half`, { format: '{id}', sample: 0.5 });
  for (let i = 0; i < 2000; i++) half.write(entry);
  half.close();
  const count = readFileSync(`${file}.half`, 'utf8').length / 4;
  assert.ok(count > 800 && count < 1200, `${count} of 2000 lines`);
});
