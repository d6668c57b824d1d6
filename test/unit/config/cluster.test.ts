import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../../src/config/load.js';
import { selfSigned } from '../../support/certificate.js';

const folder = mkdtempSync(join(tmpdir(), 'moovedge-cluster-config-'));
after(() => rmSync(folder, { recursive: true }));

/** What is wrong with a configuration whose cluster has these lines beside its node; '' when nothing is. */
function mistakes(lines: string): string {
  const file = join(folder, 'moovedge.yaml');
  writeFileSync(file, `origins: [{name: a, url: 'http://127.0.0.1:1'}]\ncluster:\n  node: {id: a}\n${lines}`);
  try {
    loadConfig({ file, flags: [], env: {} });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}
const listen = (tls: string, port = 8090) => `  listen: {host: 10.0.0.1, port: ${port}${tls}}\n`;
const SECRET = '  secret: a secret of the peers\n';

test('edges know one another by a secret or by certificates', () => {
  const { cert, key } = selfSigned();
  const other = selfSigned();
  for (const [name, text] of Object.entries({ cert, key, other: other.key })) writeFileSync(join(folder, name), text);
  const at = (name: string) => join(folder, name);
  const good = `, tls: {ca: ${at('cert')}, cert: ${at('cert')}, key: ${at('key')}}`;
  assert.equal(mistakes(listen('') + SECRET), '');
  assert.equal(mistakes(listen(good)), '');
  assert.equal(mistakes(listen(good) + SECRET), '');
  assert.match(mistakes(listen('')), /cluster\.secret: expected a secret, or certificates in cluster\.listen\.tls/);
  const half = mistakes(listen(`, tls: {ca: ${at('cert')}}`) + SECRET);
  assert.match(half, /cluster\.listen\.tls\.cert: expected ca, cert and key, or none of them/);
  const wrongKey = mistakes(listen(`, tls: {ca: ${at('cert')}, cert: ${at('cert')}, key: ${at('other')}}`));
  assert.match(wrongKey, /cluster\.listen\.tls\.key: expected the private key of/);
  const noAuthority = mistakes(listen(`, tls: {ca: ${at('key')}, cert: ${at('cert')}, key: ${at('key')}}`));
  assert.match(noAuthority, /cluster\.listen\.tls\.ca: expected certificates in a PEM file/);
});

test('the port for peers is no other port of the edge', () => {
  for (const port of [8080, 8081]) {
    assert.match(mistakes(listen('', port) + SECRET), /cluster\.listen\.port: expected another port/);
  }
});
