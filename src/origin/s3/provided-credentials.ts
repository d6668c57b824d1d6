import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Credentials, CredentialsSource } from './s3-signer.js';

/** Where the machine that the edge runs on gets its credentials. */
export type CredentialsProvider = 'instance' | 'container' | 'webIdentity';

/** Keys that are good for some time. */
export type ProvidedCredentials = Credentials & { readonly expiration?: Date | undefined };

/** Gets keys. @throws (rejects with) anything, when there are none */
export type ProvideCredentials = () => Promise<ProvidedCredentials>;

/** Milliseconds before their end at which keys are replaced, and between two tries when none can be had. */
const AHEAD = 5 * 60_000;
const PAUSE = 5000;
const NONE = 'the machine gives no S3 credentials';
/** Name of the package: it is loaded where it is used, since it is large. */
const PACKAGE: string = '@aws-sdk/credential-providers';

/** What is used of that package. */
interface Providers {
  fromInstanceMetadata(options: { timeout: number; maxRetries: number }): ProvideCredentials;
  fromContainerMetadata(options: { timeout: number; maxRetries: number }): ProvideCredentials;
  fromTokenFile(options: { clientConfig?: object }): ProvideCredentials;
}

/** A provider of the machine's keys: of the instance (IMDSv2), of ECS and EKS Pod Identity, or of a web identity. */
export function machineCredentials(provider: CredentialsProvider, region: string): ProvideCredentials {
  let loading: Promise<ProvideCredentials> | undefined;
  return async () => {
    loading ??= load(provider, region);
    return (await loading)();
  };
}

async function load(provider: CredentialsProvider, region: string): Promise<ProvideCredentials> {
  const { fromInstanceMetadata, fromContainerMetadata, fromTokenFile } = (await import(PACKAGE)) as Providers;
  const patience = { timeout: 1000, maxRetries: 3 };
  if (provider === 'instance') return fromInstanceMetadata(patience);
  return provider === 'container' ? fromContainerMetadata(patience) : fromTokenFile({ clientConfig: { region } });
}

/**
 * Keys that are asked for again before they end; those that are still good serve while none can be had. After that
 * requests fail: one that is not signed would be answered as if the object were kept from everybody.
 */
export class ProvidedSource implements CredentialsSource {
  readonly #provide: ProvideCredentials;
  readonly #log: Log;
  #credentials: ProvidedCredentials | undefined;
  #asking: Promise<void> | undefined;
  /** Milliseconds since 1970 before which nobody is asked. */
  #notBefore = 0;

  constructor(provide: ProvideCredentials, log: Log) {
    this.#provide = provide;
    this.#log = log;
  }

  /** @throws EdgeError (rejects with) `origin_unavailable` when there are no keys */
  current(): Credentials | Promise<Credentials> {
    const known = this.#credentials;
    const left = known === undefined ? 0 : (known.expiration?.getTime() ?? Number.POSITIVE_INFINITY) - Date.now();
    if (left > AHEAD) return known!;
    const asking = this.#ask();
    // Nobody waits for what comes in good time.
    return known !== undefined && left > 0 ? known : asking.then(() => this.#found());
  }

  expired(): void {
    this.#credentials = undefined;
  }

  #found(): Credentials {
    if (this.#credentials === undefined) throw new EdgeError('origin_unavailable', NONE);
    return this.#credentials;
  }

  #ask(): Promise<void> {
    if (this.#asking !== undefined) return this.#asking;
    if (Date.now() < this.#notBefore) return Promise.resolve();
    this.#asking = this.#provide()
      .then(
        found => {
          this.#credentials = found;
        },
        error => {
          this.#notBefore = Date.now() + PAUSE;
          this.#log.warn({ error: (error as Error).message }, NONE);
        },
      )
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }
}
