/*
 * What etcd's JSON gateway says and is told (api v3, rpc.proto): keys and values are base64, 64-bit numbers are texts,
 * and what is zero, false or empty is left out.
 */

/** A key as it stands in etcd. */
export interface EtcdKey {
  readonly key: string;
  readonly value: string;
  /** Revision at which the key was made, and at which it was last written. */
  readonly created: number;
  readonly modified: number;
}

/** A key and its value in a message. */
export interface WireKey {
  readonly key?: string;
  readonly value?: string;
  readonly create_revision?: string;
  readonly mod_revision?: string;
}

/** What every answer begins with. */
export interface WireHeader {
  readonly revision?: string;
  readonly cluster_id?: string;
}

/** An error, of a request or in the middle of a stream. */
export interface WireError {
  readonly error?: string;
  readonly message?: string;
  /** Of gRPC. */
  readonly code?: number;
  readonly grpc_code?: number;
}

/** One comparison of a transaction. */
export type Compare =
  /** The revision at which the key was made; 0 is a key that is not there. */
  | { readonly key: string; readonly created: number }
  /** The revision at which the key was last written; 0 is a key that is not there. */
  | { readonly key: string; readonly modified: number };

/** One write of a transaction. */
export type Write =
  | { readonly put: string; readonly value: string; readonly lease?: string }
  | { readonly remove: string };

/** The base64 of a text. */
export function toBase64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** The text of a base64. */
export function fromBase64(text: string | undefined): string {
  return Buffer.from(text ?? '', 'base64').toString('utf8');
}

/** Revisions and leases count up from 1 and stay far below 2^53. */
export function toNumber(text: string | undefined): number {
  return Number(text ?? 0);
}

/** The key behind all that begin with `prefix`, base64. */
export function endOfPrefix(prefix: string): string {
  const bytes = Buffer.from(prefix, 'utf8');
  // A text in UTF-8 has no byte 0xff.
  bytes[bytes.length - 1]!++;
  return bytes.toString('base64');
}

/** A key as the rest of the program sees it. */
export function readKey({ key, value, create_revision, mod_revision }: WireKey): EtcdKey {
  return {
    key: fromBase64(key),
    value: fromBase64(value),
    created: toNumber(create_revision),
    modified: toNumber(mod_revision),
  };
}

/** A comparison as the gateway takes it. */
export function wireCompare(compare: Compare): object {
  const key = toBase64(compare.key);
  return 'created' in compare
    ? { key, target: 'CREATE', result: 'EQUAL', create_revision: String(compare.created) }
    : { key, target: 'MOD', result: 'EQUAL', mod_revision: String(compare.modified) };
}

/** A write as the gateway takes it. */
export function wireWrite(write: Write): object {
  if ('remove' in write) return { request_delete_range: { key: toBase64(write.remove) } };
  const { put, value, lease } = write;
  return { request_put: { key: toBase64(put), value: toBase64(value), ...(lease === undefined ? {} : { lease }) } };
}
