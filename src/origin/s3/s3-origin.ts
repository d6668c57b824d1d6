import { EdgeError } from '../../base/errors.js';
import { HttpOrigin, type HttpOriginOptions } from '../http/http-origin.js';
import { type CredentialsProvider, machineCredentials } from './provided-credentials.js';
import { type CredentialsOptions, findCredentials } from './s3-credentials.js';
import { S3Dialect } from './s3-dialect.js';
import { encodeSegment } from './s3-key.js';
import { S3Signer } from './s3-signer.js';

/** A bucket, or part of one. */
export interface Bucket {
  readonly bucket: string;
  /** Put before each path, without slashes around it; may be empty. */
  readonly prefix: string;
  /** As for `HttpOriginOptions.servers`. */
  readonly weight: number;
}

/** Options of `createS3Origin`. */
export interface S3OriginOptions extends Omit<HttpOriginOptions, 'servers' | 'dialect'> {
  /** The bucket, or several that hold the same objects. */
  readonly buckets: readonly Bucket[];
  /** That requests are signed for; undefined for AWS_REGION or us-east-1. */
  readonly region?: string | undefined;
  /** `http(s)://host` of a store other than AWS; undefined for AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or AWS itself. */
  readonly endpoint?: string | undefined;
  /**
   * Whether the bucket stands in the path rather than in the host name; undefined: in the path of stores other than
   * AWS.
   */
  readonly pathStyle?: boolean | undefined;
  readonly credentials: CredentialsOptions;
  /** Where the machine's own credentials come from; undefined where they are not used. */
  readonly provider?: CredentialsProvider | undefined;
}

/** A host name can't hold it, or a wildcard certificate doesn't cover it. */
const NEEDS_PATH_STYLE = /[^a-z0-9-]/;

/** Base URL of a bucket. */
export function bucketUrl({ bucket, prefix }: Bucket, endpoint: string, pathStyle: boolean): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(bucket)) {
    throw new EdgeError('bad_config', `expected the name of a bucket, found ${JSON.stringify(bucket)}`);
  }
  const { protocol, host } = new URL(endpoint);
  const key = prefix
    .split('/')
    .filter(part => part !== '')
    .map(part => `/${encodeSegment(part)}`)
    .join('');
  return pathStyle || NEEDS_PATH_STYLE.test(bucket)
    ? `${protocol}//${host}/${bucket}${key}`
    : `${protocol}//${bucket}.${host}${key}`;
}

/**
 * Objects of an S3-compatible store.
 * @throws EdgeError `bad_config` for a bucket that can't be one, or credentials that can't be read
 */
export function createS3Origin(options: S3OriginOptions): HttpOrigin {
  const { buckets, credentials, log, name } = options;
  const { env } = credentials;
  const region = options.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? 'us-east-1';
  const custom = options.endpoint ?? env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL;
  const endpoint = custom ?? `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  const pathStyle = options.pathStyle ?? custom !== undefined;
  const { provider } = options;
  const machine = provider ? machineCredentials(provider, region) : credentials.machine;
  const source = findCredentials({ ...credentials, machine }, log);
  if (machine === undefined && source.current() === undefined)
    log.info({ origin: name }, 'no S3 credentials: requests go unsigned');
  return new HttpOrigin({
    ...options,
    servers: buckets.map(bucket => ({ url: bucketUrl(bucket, endpoint, pathStyle), weight: bucket.weight })),
    dialect: new S3Dialect(new S3Signer(region), source, log),
  });
}
