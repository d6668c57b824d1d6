import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

/**
 * A self-signed certificate for `names` (127.0.0.1 included) with its private key, both PEM, made by openssl and kept
 * nowhere.
 */
export function selfSigned(names: readonly string[] = ['localhost']): { cert: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-cert-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const alternatives = ['IP:127.0.0.1', ...names.map(name => `DNS:${name}`)].join(',');
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const subject = ['-subj', `/CN=${names[0]}`, '-addext', `subjectAltName=${alternatives}`];
    execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert], { stdio: 'pipe' });
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A self-signed certificate in files, for as long as the tests of the file run. */
export function certificateFiles(): { cert: string; key: string; files: { cert: string; key: string } } {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-cert-'));
  after(() => rmSync(folder, { recursive: true }));
  const made = selfSigned();
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  writeFileSync(files.cert, made.cert);
  writeFileSync(files.key, made.key);
  return { ...made, files };
}
