import { createHash } from 'node:crypto';
import { EdgeError } from '../../base/errors.js';
import type { IndexStore } from './media.js';

/** Bytes of the checksum before what is stored. */
const CHECKSUM = 16;

/** What was learnt of objects, behind checksums, and why some can't be used. */
export class SealedStore {
  /** @param store undefined when nothing outlives the process */
  constructor(private readonly store: IndexStore | undefined) {}

  /** The bytes that were put; undefined when there are none, or others than were put. */
  get(identity: string, kind: string): Uint8Array | undefined {
    const sealed = this.store?.get(identity, kind);
    if (sealed === undefined || sealed.length < CHECKSUM) return undefined;
    const bytes = sealed.subarray(CHECKSUM);
    return checksum(bytes).equals(sealed.subarray(0, CHECKSUM)) ? bytes : undefined;
  }

  put(identity: string, kind: string, bytes: Uint8Array): void {
    this.store?.put(identity, kind, Buffer.concat([checksum(bytes), bytes]));
  }

  /** The refusal that was put. */
  refusal(identity: string, kind: string): EdgeError | undefined {
    const bytes = this.get(identity, kind);
    const [, code, message] = /^(unplayable|media_too_large) (.*)$/s.exec(Buffer.from(bytes ?? []).toString()) ?? [];
    return code && message !== undefined ? new EdgeError(code as EdgeError['code'], message) : undefined;
  }

  /** @param error which must be about the object's bytes; see `isAboutTheFile` */
  refuse(identity: string, kind: string, error: EdgeError): void {
    this.put(identity, kind, Buffer.from(`${error.code} ${error.message}`));
  }
}

/** Whether an error says something of the object's bytes, which stays true. */
export function isAboutTheFile(error: unknown): error is EdgeError {
  return error instanceof EdgeError && (error.code === 'unplayable' || error.code === 'media_too_large');
}

function checksum(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, CHECKSUM);
}
