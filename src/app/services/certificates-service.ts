import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from '../../config/schema.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import type { EdgeEvents } from './edge-events.js';

/** A certificate that is shown to somebody. */
export interface ShownCertificate {
  readonly file: string;
  /** What it is for. */
  readonly names: readonly string[];
  /** Milliseconds since 1970 at which it ends. */
  readonly notAfter: number;
}

/** When the certificates end that workers have read, as they do at a start and a reload. */
export class CertificatesService implements Service<Config> {
  readonly name = 'certificates';
  #certificates: readonly ShownCertificate[];

  constructor({ config, metrics }: Pick<ServiceContext<Config, EdgeEvents>, 'config' | 'metrics'>) {
    this.#certificates = certificatesOf(config);
    metrics.gauge('moovedge_certificate_expiry_timestamp_seconds', () =>
      this.#certificates.map(({ file, notAfter }) => [{ file }, notAfter / 1000] as const),
    );
  }

  reconfigure(config: Config): void {
    this.#certificates = certificatesOf(config);
  }

  stats(): object {
    return this.#certificates;
  }

  stop(): void {}
}

function certificatesOf({ listen, live, cluster }: Config): ShownCertificate[] {
  const files = [
    ...listen.flatMap(({ tls }) => tls.map(({ certificate }) => certificate)),
    live.rtmp?.tls?.certificate,
    cluster?.listen.tls.cert,
  ];
  return [...new Set(files)].flatMap(file => (file === undefined ? [] : read(file)));
}

/** None for a file that has become unreadable since its configuration was checked. */
function read(file: string): ShownCertificate[] {
  try {
    const { subjectAltName = '', subject, validTo } = new X509Certificate(readFileSync(file));
    const names = subjectAltName.split(', ').flatMap(name => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1] ?? []);
    return [{ file, names: names.length > 0 ? names : [subject], notAfter: Date.parse(validTo) }];
  } catch {
    return [];
  }
}
