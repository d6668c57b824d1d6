import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError, loadConfig } from '../../../src/config/load.js';

const folder = mkdtempSync(join(tmpdir(), 'moovedge-live-config-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'edge.yaml');

function load(live: string) {
  writeFileSync(file, `origins: [{name: main, url: .}]\n${live}`);
  return loadConfig({ file, flags: [], env: {} }).live;
}

test('live streams are off unless there is an RTMP port, which has a default', () => {
  assert.equal(load('').rtmp, undefined);
  assert.deepEqual(load('live: {rtmp: {}}').rtmp, { host: '0.0.0.0', port: 1935, tls: {}, maxPublishers: 1000 });
  assert.deepEqual(load('live: {rtmp: {}, publish: {keys: {a/b: x, a/b/c.d: y}}}').publish.keys, {
    'a/b': 'x',
    'a/b/c.d': 'y',
  });
});

const wrong: [live: string, mistake: RegExp][] = [
  ['rtmp: {port: 8080}', /live\.rtmp\.port: expected another port than listen\.port/],
  ['rtmp: {port: 8081}', /live\.rtmp\.port: expected another port than admin\.port/],
  ['rtmp: {port: 0}', /live\.rtmp\.port/],
  ['pull: ["http://h/live"]', /live\.pull/],
  ['pull: ["rtmp://h/live/"]', /live\.pull/],
  ['pullHeaders: {"a b": c}', /live\.pullHeaders.*expected the name of a header field/],
  ['pullHeaders: {Range: bytes=0-}', /live\.pullHeaders\.Range: expected a field that the edge does not set itself/],
  ['links: 0', /live\.links/],
  ['rtmp: {tls: {certificate: cert.pem}}', /live\.rtmp\.tls\.key: expected the private key/],
  ['rtmp: {tls: {key: key.pem}}', /live\.rtmp\.tls\.certificate: expected the certificate/],
  ['rtmp: {tls: {certificate: none.pem, key: none.pem}}', /live\.rtmp\.tls\.certificate: expected a certificate/],
  ['publish: {keys: {cam: x}}', /live\.publish\.keys\.cam: expected the key of a stream that is called APP\/NAME/],
  ['publish: {keys: {a/../b: x}}', /live\.publish\.keys/],
  ['publish: {keys: {a/b: "x y"}}', /live\.publish\.keys.* found something else/],
  ['publish: {keys: {a/b: x}, hook: "http://h/"}', /live\.publish\.hook: expected either/],
  ['publish: {hook: ftp://h/}', /live\.publish\.hook: expected a URL/],
  ['path: live', /live\.path: expected a path such as \/live\//],
  ['slow: {limit: 10s, disconnect: 5s}', /live\.slow\.disconnect: expected more than live\.slow\.limit/],
  ['hls: {part: 2s, segment: 2s}', /live\.hls\.part/],
  ['hls: {segment: 10s, window: 20s}', /live\.hls\.window/],
  ['record: {format: mkv}', /live\.record\.format: expected /],
  ['record: {path: /proc/none}', /live\.record\.path: expected a folder that can be written/],
  ['grace: 10', /live\.grace: expected a time/],
];
for (const [live, mistake] of wrong) {
  test(`check-config refuses ${live}`, () => {
    assert.throws(
      () => load(`live: {${live}}`),
      error => error instanceof ConfigError && mistake.test(error.mistakes[0]!),
    );
  });
}
