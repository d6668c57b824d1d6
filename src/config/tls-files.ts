import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { tlsFiles } from './places.js';
import type { Config } from './schema.js';
import type { Issue } from './setting.js';

/** Most bytes of a PEM file. */
const FILE_MAX = 1024 * 1024;
const CERTIFICATE: Issue['path'] = ['listen', 'tls', 'certificate'];
const KEY: Issue['path'] = ['listen', 'tls', 'key'];

/** Certificates and keys that the players' port can't use. */
export function checkTlsFiles(config: Config): Issue[] {
  const files = tlsFiles(config);
  if (files === undefined) return [];
  const certificate = read(CERTIFICATE, 'a certificate in a PEM file that can be read', files.cert, readCertificate);
  const key = read(KEY, 'a private key without passphrase in a PEM file that can be read', files.key, createPrivateKey);
  if ('path' in certificate || 'path' in key) return [certificate, key].filter(found => 'path' in found);
  if (certificate.value.checkPrivateKey(key.value)) return [];
  return [{ path: KEY, expected: `expected the private key of ${files.cert}`, hint: `${files.key} is another one` }];
}

function read<T extends X509Certificate | KeyObject>(
  path: Issue['path'],
  expected: string,
  file: string,
  parse: (pem: Buffer) => T,
): Issue | { readonly value: T } {
  try {
    const { size } = statFile(file);
    if (size > FILE_MAX) throw new Error(`it has ${size} bytes, more than ${FILE_MAX}`);
    return { value: parse(readFileSync(file)) };
  } catch (error) {
    return { path, expected: `expected ${expected}`, hint: `${file}: ${(error as Error).message}` };
  }
}

function statFile(file: string) {
  const status = statSync(file);
  if (!status.isFile()) throw new Error('it is no file');
  return status;
}

/** The first certificate of a file, all of which must be whole. */
function readCertificate(pem: Buffer): X509Certificate {
  createSecureContext({ cert: pem });
  return new X509Certificate(pem);
}
