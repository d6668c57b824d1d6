import { AwsV4Signer } from 'aws4fetch';

/** Keys of an S3 account. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary keys. */
  readonly sessionToken?: string | undefined;
}

/** Gives the credentials of the moment; undefined when requests are not to be signed. */
export interface CredentialsSource {
  current(): Credentials | undefined | Promise<Credentials>;
  /** The store says that the credentials have expired: look again, if there is anything to look at. */
  expired(): void;
}

/** SHA-256 of an empty body. */
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Derived keys that are kept: one for each day, region and secret. */
const KEYS_MAX = 8;

/** Signs GET requests by AWS Signature Version 4. The only user of aws4fetch. */
export class S3Signer {
  readonly #region: string;
  readonly #keys = new Map<string, ArrayBuffer>();

  constructor(region: string) {
    this.#region = region;
  }

  /**
   * The fields that sign a request: `authorization`, `x-amz-date`, `x-amz-content-sha256` and, with temporary keys,
   * `x-amz-security-token`.
   * @param url with every character of path and query encoded that SigV4 wants encoded
   * @param fields that are covered by the signature beside the host. None is best: some stores and proxies change
   *   others on the way.
   * @param now milliseconds since 1970
   */
  async sign(
    url: string,
    credentials: Credentials,
    now: number,
    fields: Readonly<Record<string, string>> = {},
  ): Promise<Record<string, string>> {
    if (this.#keys.size >= KEYS_MAX) this.#keys.clear();
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    const signer = new AwsV4Signer({
      url,
      method: 'GET',
      headers: { ...fields, 'x-amz-content-sha256': EMPTY_SHA256 },
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      service: 's3',
      region: this.#region,
      datetime: new Date(now).toISOString().replace(/[:-]|\.\d{3}/g, ''),
      cache: this.#keys,
      allHeaders: true,
    });
    const { headers } = await signer.sign();
    return Object.fromEntries(headers);
  }
}
