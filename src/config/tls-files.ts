import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { ListenSettings } from './listen-schema.js';
import type { Config } from './schema.js';
import type { Issue } from './setting.js';

/** Most bytes of a PEM file. */
const FILE_MAX = 1024 * 1024;

/** Certificates and keys that a port can't use: that of players, and that of publishers. */
export function checkTlsFiles(config: Config): Issue[] {
  const { certificate, key } = config.live.rtmp?.tls ?? {};
  const publishers = certificate === undefined || key === undefined ? undefined : { cert: certificate, key };
  return [
    ...config.listen.flatMap((listener, index) =>
      checkListener(listener, config.listen.length > 1 ? ['listen', index] : ['listen']),
    ),
    ...checkPair(['live', 'rtmp', 'tls'], publishers),
    ...checkPeers(config.cluster?.listen.tls),
  ];
}

function checkListener(listener: ListenSettings, at: Issue['path']): Issue[] {
  const { tls, clientCa } = listener;
  const expected = 'certificates in a PEM file that can be read';
  const authority = clientCa === undefined ? undefined : read([...at, 'clientCa'], expected, clientCa, readCertificate);
  return [
    ...(authority !== undefined && 'path' in authority ? [authority] : []),
    ...tls.flatMap(({ certificate, key }, number) =>
      checkPair(
        [...at, 'tls', ...(tls.length > 1 ? [number] : [])],
        certificate === undefined || key === undefined ? undefined : { cert: certificate, key },
      ),
    ),
  ];
}

/** Certificates of edges that know one another by them. */
function checkPeers(files: NonNullable<Config['cluster']>['listen']['tls'] | undefined): Issue[] {
  const { ca, cert, key } = files ?? {};
  if (ca === undefined || cert === undefined || key === undefined) return [];
  const group = ['cluster', 'listen', 'tls'];
  const authority = read([...group, 'ca'], 'certificates in a PEM file that can be read', ca, readCertificate);
  return [...('path' in authority ? [authority] : []), ...checkPair(group, { cert, key }, 'cert')];
}

function checkPair(
  group: Issue['path'],
  files: { readonly cert: string; readonly key: string } | undefined,
  name = 'certificate',
): Issue[] {
  if (files === undefined) return [];
  const keyPath = [...group, 'key'];
  const expected = 'a certificate in a PEM file that can be read';
  const certificate = read([...group, name], expected, files.cert, readCertificate);
  const key = read(
    keyPath,
    'a private key without passphrase in a PEM file that can be read',
    files.key,
    createPrivateKey,
  );
  if ('path' in certificate || 'path' in key) return [certificate, key].filter(found => 'path' in found);
  if (certificate.value.checkPrivateKey(key.value)) return [];
  return [
    { path: keyPath, expected: `expected the private key of ${files.cert}`, hint: `${files.key} is another one` },
  ];
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
