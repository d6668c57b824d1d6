import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

/** Most bytes of a set of keys, and most keys of it. */
export const KEY_SET_MAX = 1024 * 1024;
const KEYS_MAX = 1000;

/** A public key (RFC 7517). */
export type PublicKey = JsonWebKey & { readonly kty: string };

/**
 * Reads a file of keys that sign: a JWK set, or a public key or a certificate in PEM.
 * @throws Error that says what is wrong with it
 */
export function readKeyFile(file: string): PublicKey[] {
  const status = statSync(file);
  if (!status.isFile() || status.size > KEY_SET_MAX) throw new Error(`it is no file of at most ${KEY_SET_MAX} bytes`);
  const text = readFileSync(file, 'utf8');
  if (!text.includes('-----BEGIN')) return parseKeySet(text);
  const key = createPublicKey(text);
  if (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ec') {
    throw new Error('its key is neither one of RSA nor one of an elliptic curve');
  }
  return [key.export({ format: 'jwk' }) as PublicKey];
}

/**
 * The keys of a JWK set that sign.
 * @throws Error when there are none
 */
export function parseKeySet(text: string): PublicKey[] {
  const keys = keysIn(text);
  const signing = keys.filter(key => key?.kty === 'RSA' || key?.kty === 'EC');
  if (keys.length > KEYS_MAX || signing.length === 0) {
    throw new Error(`it is no JWK set of 1 to ${KEYS_MAX} keys with one of RSA or EC among them`);
  }
  return signing;
}

function keysIn(text: string): PublicKey[] {
  try {
    const { keys } = JSON.parse(text) as { keys: PublicKey[] };
    return Array.isArray(keys) ? keys : [];
  } catch {
    return [];
  }
}
