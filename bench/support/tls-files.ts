import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { selfSigned } from '../../test/support/certificate.js';

/** Names of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** What wrk asks for first, which the edge then takes; in OpenSSL's words. The others are told to take nothing else. */
export const TLS_CIPHER = 'TLS_AES_256_GCM_SHA384';

/** Makes a certificate with its key (P-256), which nobody has signed. */
export function makeTlsFiles(folder: string): TlsFiles {
  const { cert, key } = selfSigned();
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  return files;
}
