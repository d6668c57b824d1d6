import { access, constants, mkdir } from 'node:fs/promises';
import { EdgeError } from '../../base/errors.js';
import { parseOrigin } from '../../base/origin-url.js';
import type { Config } from '../../config/schema.js';
import { DirectoryStorage } from './directory-storage.js';
import type { ObjectStorage } from './object-storage.js';

/**
 * Opens the storage that `storage.url` names.
 * @throws EdgeError `bad_config` when there is none, or its directory can't be written
 */
export async function openStorage({ storage }: Config): Promise<ObjectStorage> {
  if (storage === undefined) {
    throw new EdgeError('bad_config', 'storage: expected storage.url, a directory or s3://bucket/prefix');
  }
  const place = parseOrigin(storage.url);
  if (place.kind === 'file') {
    try {
      await mkdir(place.directory, { recursive: true });
      await access(place.directory, constants.W_OK);
    } catch (cause) {
      const reason = (cause as NodeJS.ErrnoException).code;
      throw new EdgeError('bad_config', `storage.url: expected a directory that can be written (${reason})`, { cause });
    }
    return new DirectoryStorage(place.directory);
  }
  if (place.kind !== 's3') {
    throw new EdgeError('bad_config', 'storage.url: expected a directory or s3://bucket/prefix');
  }
  const { region, endpoint, pathStyle, accessKeyId, secretAccessKey, sessionToken } = storage.s3 ?? {};
  const bucket = {
    bucket: place.bucket,
    prefix: place.prefix,
    region: region ?? process.env.AWS_REGION ?? 'us-east-1',
    endpoint,
    pathStyle: pathStyle ?? endpoint !== undefined,
    credentials:
      accessKeyId === undefined || secretAccessKey === undefined
        ? undefined
        : { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
  };
  try {
    const { S3Storage } = await import('./s3-storage.js');
    return new S3Storage(bucket);
  } catch (cause) {
    // Packages that only uploads and transcoding need are optional ones.
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new EdgeError('bad_config', 'storage.url: buckets need a package: npm install @aws-sdk/client-s3', { cause });
  }
}
