import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ConfigError, loadConfig } from '../../../src/config/load.js';
import { playerListener, schemeOf, tlsFiles } from '../../../src/config/places.js';
import { selfSigned } from '../../support/certificate.js';

const folder = mkdtempSync(path.join(tmpdir(), 'moovedge-config-'));
after(() => rmSync(folder, { recursive: true }));
const file = path.join(folder, 'edge.yaml');
const own = selfSigned();
const other = selfSigned();
write('cert.pem', own.cert);
write('key.pem', own.key);
write('other-key.pem', other.key);
write('chain.pem', own.cert + other.cert);
write('cut-chain.pem', own.cert + other.cert.slice(0, 200));
write('text.pem', 'no PEM at all');
write('large.pem', 'x'.repeat(2_000_000));
mkdirSync(path.join(folder, 'folder'));
const passphrase = ['-aes128', '-passout', 'pass:secret'];
execFileSync('openssl', ['ec', '-in', 'key.pem', ...passphrase, '-out', 'locked.pem'], { cwd: folder, stdio: 'pipe' });

function write(name: string, text: string): void {
  writeFileSync(path.join(folder, name), text);
}

function load(certificate?: string, key?: string) {
  const lines = [certificate && `    certificate: ${certificate}`, key && `    key: ${key}`].filter(Boolean);
  writeFileSync(file, `listen:\n  tls:\n${lines.join('\n')}\n`);
  return loadConfig({ file, flags: [], env: {} });
}

/** The mistakes, with the folder left out. */
function mistakes(certificate?: string, key?: string): string[] {
  try {
    load(certificate, key);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.mistakes.map(mistake => mistake.replaceAll(`${folder}/`, ''));
  }
  return assert.fail('expected mistakes');
}

test('a certificate, alone or with its issuers, and its key', () => {
  for (const name of ['cert.pem', 'chain.pem']) {
    const config = load(name, 'key.pem');
    const files = { cert: path.join(folder, name), key: path.join(folder, 'key.pem'), ca: undefined, others: [] };
    assert.deepEqual(tlsFiles(config.listen[0]!), files);
    assert.equal(schemeOf(playerListener(config)), 'https');
  }
  assert.equal(schemeOf(playerListener(load())), 'http');
});

test('one without the other', () => {
  assert.deepEqual(mistakes('cert.pem'), [
    'edge.yaml:3:5: listen.tls.key: expected the private key of listen.tls.certificate, found nothing',
  ]);
  assert.deepEqual(mistakes(undefined, 'key.pem'), [
    'edge.yaml:3:5: listen.tls.certificate: expected the certificate of listen.tls.key, found nothing',
  ]);
});

test('files that are missing, unreadable, too large, or something else', () => {
  const found = mistakes('missing.pem', 'folder');
  assert.equal(found.length, 2, String(found));
  assert.match(
    found[0]!,
    /^edge\.yaml:3:18: listen\.tls\.certificate: expected a certificate .*; missing\.pem: ENOENT/,
  );
  assert.match(found[1]!, /^edge\.yaml:4:10: listen\.tls\.key: expected a private key .*; folder: it is no file$/);
  for (const name of ['text.pem', 'large.pem', 'cut-chain.pem', 'key.pem', '/dev/zero']) {
    const [mistake, ...more] = mistakes(name, 'key.pem');
    assert.deepEqual(more, []);
    assert.match(mistake!, /^edge\.yaml:3:18: listen\.tls\.certificate: expected a certificate .*, found ".*"; /);
  }
  for (const name of ['text.pem', 'cert.pem', 'locked.pem', '/dev/zero']) {
    const [mistake, ...more] = mistakes('cert.pem', name);
    assert.deepEqual(more, []);
    assert.match(mistake!, /^edge\.yaml:4:10: listen\.tls\.key: expected a private key without passphrase .*; /);
  }
});

test('the key of another certificate', () => {
  assert.deepEqual(mistakes('cert.pem', 'other-key.pem'), [
    'edge.yaml:4:10: listen.tls.key: expected the private key of cert.pem, found "other-key.pem"; other-key.pem is another one',
  ]);
});
