import { createHash } from 'node:crypto';

/** Checksum of a text that is stored: 16 hexadecimal digits of its SHA-256. */
export function textChecksum(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
