import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { createSecureContext, createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls';
import { EdgeError } from '../../base/errors.js';
import type { CertificateFiles, TlsFiles } from '../front-end.js';

/** Names of HTTP/1 in ALPN (RFC 7301 section 6): who offers others alone is refused in the handshake. */
const HTTP1 = ['http/1.1', 'http/1.0'];

/**
 * Makes TLS of connections that it is told of by `connection`.
 * @param patience milliseconds that a handshake may take
 * @param take is given each connection when its handshake is over, and the one below it
 * @throws EdgeError `bad_config`
 */
export function secureServer(
  files: TlsFiles,
  http2: boolean,
  patience: number,
  take: (secure: TLSSocket, raw: Duplex | undefined) => void,
): Server {
  const ca = files.ca === undefined ? undefined : readFileSync(files.ca);
  const named = [files, ...(files.others ?? [])].map(pair => open(pair, ca));
  const server = createServer({
    ...named[0]!.options,
    handshakeTimeout: patience,
    ALPNProtocols: http2 ? ['h2', ...HTTP1] : HTTP1,
    ...(ca !== undefined && { requestCert: true, rejectUnauthorized: true }),
    SNICallback(name, done) {
      done(null, named.find(({ certificate }) => certificate.checkHost(name) !== undefined)?.context);
    },
  });
  server.on('secureConnection', socket => take(socket, (socket as { _parent?: Duplex })._parent));
  // Of handshakes that take too long Node tells no more than this.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

function open({ cert, key }: CertificateFiles, ca: Buffer | undefined): NamedCertificate {
  try {
    const options = { cert: readFileSync(cert), key: readFileSync(key), ...(ca !== undefined && { ca }) };
    return { options, context: createSecureContext(options), certificate: new X509Certificate(options.cert) };
  } catch (cause) {
    const message = `can't use the TLS certificate ${cert} with the key ${key}: both must be PEM files`;
    throw new EdgeError('bad_config', message, { cause });
  }
}

interface NamedCertificate {
  readonly options: { readonly cert: Buffer; readonly key: Buffer; readonly ca?: Buffer };
  readonly context: SecureContext;
  readonly certificate: X509Certificate;
}
