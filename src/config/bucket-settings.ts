import { flag, text } from './kind.js';
import { type SettingPath, setting } from './setting.js';

/**
 * Settings of an S3-compatible bucket, for each place that names one.
 * @param whose begins their sentences, so that people know which one is meant
 */
export function bucketSettings(whose = '') {
  return {
    region: setting(
      text('a region such as eu-central-1', /^[a-z0-9-]{1,64}$/),
      `${whose}Region that requests are signed for; left out: AWS_REGION of the environment, else us-east-1.`,
    ).optional(),
    endpoint: setting(
      text('http(s)://host', /^https?:\/\/[^\s/?#@]+\/?$/),
      `${whose}Where the bucket is, for stores other than AWS; left out: AWS.`,
    ).optional(),
    pathStyle: setting(
      flag(),
      `${whose}Whether the bucket stands in the path rather than in the host name; left out: only with an endpoint.`,
    ).optional(),
    accessKeyId: setting(
      text('an access key', /^[\x21-\x7e]{1,256}$/),
      `${whose}Access key; left out: what the environment, the shared file or the role of the machine gives.`,
      { secret: true },
    ).optional(),
    secretAccessKey: setting(text('a secret key', /^[\x21-\x7e]{1,256}$/), `${whose}Secret of that access key.`, {
      secret: true,
    }).optional(),
    sessionToken: setting(text('a session token', /^[\x21-\x7e]{1,4096}$/), `${whose}Token of temporary keys.`, {
      secret: true,
    }).optional(),
  };
}

/** Refuses an access key without its secret, and the other way round. */
export function checkKeys(
  s3: { readonly accessKeyId?: unknown; readonly secretAccessKey?: unknown } | undefined,
  wrong: (path: SettingPath, message: string) => void,
): void {
  const { accessKeyId, secretAccessKey } = s3 ?? {};
  if ((accessKeyId === undefined) === (secretAccessKey === undefined)) return;
  wrong(['s3', accessKeyId === undefined ? 'accessKeyId' : 'secretAccessKey'], 'expected both keys or none');
}
