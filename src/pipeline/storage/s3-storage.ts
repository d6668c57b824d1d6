import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { EdgeError } from '../../base/errors.js';
import type { ObjectStorage, PutOptions } from './object-storage.js';

/** Bytes of a part of a large object. Stores take up to 10,000 parts, so objects may have 640 GB. */
const PART_SIZE = 64 * 1024 * 1024;

/** A bucket and how it is reached. */
export interface S3StorageOptions {
  readonly bucket: string;
  /** Put before each key, without slashes around it; may be empty. */
  readonly prefix: string;
  readonly region: string;
  /** Store other than AWS. */
  readonly endpoint?: string | undefined;
  readonly pathStyle: boolean;
  /** Left out: what the SDK finds in the environment, the shared file, or the machine's role. */
  readonly credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;
}

/** Objects of an S3-compatible store. */
export class S3Storage implements ObjectStorage {
  readonly place: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor({ bucket, prefix, region, endpoint, pathStyle, credentials }: S3StorageOptions) {
    this.place = `s3://${bucket}/${prefix}`;
    this.#bucket = bucket;
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
    this.#client = new S3Client({
      region,
      forcePathStyle: pathStyle,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(credentials === undefined ? {} : { credentials }),
      // Stores other than AWS know no checksums in trailers; pieces and films have checksums of their own.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: 3_000, requestTimeout: 60_000 },
    });
  }

  async put(key: string, bytes: Uint8Array, { ifAbsent = false, type }: PutOptions = {}): Promise<boolean> {
    try {
      await this.#client.send(
        new PutObjectCommand({
          ...this.#at(key),
          Body: bytes,
          ContentType: type,
          ...(ifAbsent ? { IfNoneMatch: '*' } : {}),
        }),
      );
      return true;
    } catch (error) {
      const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
      // 409: somebody else was writing at the same time, and won.
      if (ifAbsent && (status === 412 || (status === 409 && (await this.head(key)) !== undefined))) return false;
      if (ifAbsent && status === 501) {
        throw new EdgeError('bad_config', `storage: ${this.place} knows no If-None-Match`, { cause: error });
      }
      throw this.#unavailable(error);
    }
  }

  async putFile(key: string, file: string, type: string, signal: AbortSignal): Promise<void> {
    const { size } = await stat(file);
    try {
      if (size > PART_SIZE) return await this.#putParts(key, file, size, type, signal);
      const body = createReadStream(file);
      await this.#client.send(
        new PutObjectCommand({ ...this.#at(key), Body: body, ContentLength: size, ContentType: type }),
        { abortSignal: signal },
      );
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  async head(key: string): Promise<number | undefined> {
    return this.#found(async () => (await this.#client.send(new HeadObjectCommand(this.#at(key)))).ContentLength);
  }

  async get(key: string): Promise<Buffer | undefined> {
    return this.#found(async () => {
      const { Body } = await this.#client.send(new GetObjectCommand(this.#at(key)));
      return Buffer.from(await Body!.transformToByteArray());
    });
  }

  async *list(prefix: string): AsyncIterable<string> {
    for await (const { Contents = [] } of this.#pages(prefix)) {
      for (const { Key = '' } of Contents) yield Key.slice(this.#prefix.length);
    }
  }

  async *folders(prefix: string): AsyncIterable<string> {
    for await (const { CommonPrefixes = [] } of this.#pages(prefix, '/')) {
      for (const { Prefix = '' } of CommonPrefixes) yield Prefix.slice(this.#prefix.length + prefix.length, -1);
    }
  }

  async remove(key: string): Promise<void> {
    await this.#found(() => this.#client.send(new DeleteObjectCommand(this.#at(key))));
  }

  async sweep(age: number): Promise<void> {
    try {
      for (let at: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {}; at !== undefined; ) {
        const page: ListMultipartUploadsCommandOutput = await this.#client.send(
          new ListMultipartUploadsCommand({ Bucket: this.#bucket, Prefix: this.#prefix, ...at }),
        );
        for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
          if (Initiated === undefined || Date.now() - Initiated.getTime() < age) continue;
          await this.#client.send(new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key, UploadId }));
        }
        const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
        at = IsTruncated === true ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker } : undefined;
      }
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  close(): void {
    this.#client.destroy();
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  async *#pages(prefix: string, delimiter?: string) {
    let token: string | undefined;
    do {
      const page = await this.#client
        .send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#prefix + prefix,
            Delimiter: delimiter,
            ContinuationToken: token,
          }),
        )
        .catch(error => {
          throw this.#unavailable(error);
        });
      yield page;
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** Parts of an object whose writing ends badly are thrown away; those of a writer that died, by `sweep`. */
  async #putParts(key: string, file: string, size: number, type: string, signal: AbortSignal): Promise<void> {
    const at = this.#at(key);
    const { UploadId } = await this.#client.send(new CreateMultipartUploadCommand({ ...at, ContentType: type }));
    try {
      const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
      for (let start = 0; start < size; start += PART_SIZE) {
        const end = Math.min(start + PART_SIZE, size);
        const PartNumber = Parts.length + 1;
        const { ETag } = await this.#client.send(
          new UploadPartCommand({
            ...at,
            UploadId,
            PartNumber,
            Body: createReadStream(file, { start, end: end - 1 }),
            ContentLength: end - start,
          }),
          { abortSignal: signal },
        );
        Parts.push({ PartNumber, ETag });
      }
      await this.#client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }), {
        abortSignal: signal,
      });
    } catch (error) {
      await this.#client.send(new AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => {});
      throw error;
    }
  }

  async #found<T>(look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return undefined;
      throw this.#unavailable(error);
    }
  }

  #unavailable(cause: unknown): EdgeError {
    if (cause instanceof EdgeError) return cause;
    const { name = 'Error', message = '' } = cause as Error;
    return new EdgeError('origin_unavailable', `storage: ${this.place} fails (${name}: ${message})`, { cause });
  }
}
