import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { type ProvideCredentials, ProvidedSource } from './provided-credentials.js';
import type { Credentials, CredentialsSource } from './s3-signer.js';

/** Where credentials may be found. */
export interface CredentialsOptions {
  /** From the configuration; they come first. */
  readonly keys?: Credentials | undefined;
  /** A file in the form of ~/.aws/credentials, named by the configuration; it comes second. */
  readonly file?: string | undefined;
  /**
   * Environment variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_SHARED_CREDENTIALS_FILE,
   * AWS_PROFILE.
   */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the machine gets its own; it comes in place of all that follows. */
  readonly machine?: ProvideCredentials | undefined;
  /** Home directory, where .aws/credentials is looked for last. */
  readonly home: string;
}

/** Milliseconds between two looks at a credentials file. */
const FILE_INTERVAL = 10_000;

/**
 * Finds credentials: configuration, configured file, the machine's own, environment, shared file; without any, requests
 * go unsigned, which public buckets answer.
 * @throws EdgeError `bad_config` when a file that was named can't be read or has no keys
 */
export function findCredentials({ keys, file, machine, env, home }: CredentialsOptions, log: Log): CredentialsSource {
  const profile = env.AWS_PROFILE ?? 'default';
  if (keys) return fixed(keys);
  if (file !== undefined) return new CredentialsFile(file, profile);
  if (machine !== undefined) return new ProvidedSource(machine, log);
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env;
  if (accessKeyId && secretAccessKey) return fixed({ accessKeyId, secretAccessKey, sessionToken: token || undefined });
  if (env.AWS_SHARED_CREDENTIALS_FILE) return new CredentialsFile(env.AWS_SHARED_CREDENTIALS_FILE, profile);
  try {
    return new CredentialsFile(join(home, '.aws', 'credentials'), profile);
  } catch {
    return fixed(undefined);
  }
}

function fixed(credentials: Credentials | undefined): CredentialsSource {
  return { current: () => credentials, expired: () => {} };
}

/** Keys of a profile in the text of a credentials file; undefined when it has none. */
function parseCredentials(text: string, profile: string): Credentials | undefined {
  const found = new Map<string, string>();
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[\s*(?:profile\s+)?([^\]]*?)\s*\]/.exec(line);
    if (header) section = header[1]!;
    const entry = /^\s*(aws_[a-z_]+)\s*=\s*(\S+)\s*$/i.exec(line);
    if (entry && section === profile) found.set(entry[1]!.toLowerCase(), entry[2]!);
  }
  const accessKeyId = found.get('aws_access_key_id');
  const secretAccessKey = found.get('aws_secret_access_key');
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: found.get('aws_session_token') };
}

/** Credentials in a file that others may rewrite: a side-car that fetches temporary keys, say. */
class CredentialsFile implements CredentialsSource {
  readonly #path: string;
  readonly #profile: string;
  #credentials: Credentials;
  /** Time of modification of what was read, and when it was last looked at, in milliseconds. */
  #modified = 0;
  #looked = performance.now();
  #reading: Promise<void> | undefined;

  constructor(path: string, profile: string) {
    this.#path = path;
    this.#profile = profile;
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (cause) {
      throw new EdgeError('bad_config', `expected S3 credentials in ${path}, but it can't be read`, { cause });
    }
    const credentials = parseCredentials(text, profile);
    if (!credentials)
      throw new EdgeError('bad_config', `expected keys of the profile ${profile} in ${path}, found none`);
    this.#credentials = credentials;
  }

  current(): Credentials | Promise<Credentials> {
    if (performance.now() - this.#looked < FILE_INTERVAL) return this.#credentials;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
      this.#looked = performance.now();
    });
    return this.#reading.then(() => this.#credentials);
  }

  expired(): void {
    this.#looked = Number.NEGATIVE_INFINITY;
  }

  /** A file that can't be read, or is half written, leaves the old keys in use. */
  async #read(): Promise<void> {
    try {
      const { mtimeMs } = await stat(this.#path);
      if (mtimeMs === this.#modified) return;
      const credentials = parseCredentials(await readFile(this.#path, 'utf8'), this.#profile);
      if (!credentials) return;
      this.#credentials = credentials;
      this.#modified = mtimeMs;
    } catch {}
  }
}
