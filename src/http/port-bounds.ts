import { readdirSync } from 'node:fs';
import type { PortBounds } from './gate.js';

/** Bounds for clients, as the configuration states them. */
export interface ClientLimits {
  readonly connections: number | 'auto';
  readonly requests: number | 'none';
  readonly loopback: boolean;
}

/** Players that a process should have room for; with fewer places a start says so. */
const PLAYERS = 8192;
/** Descriptors that are kept for files, the catalog, logs and the like. */
const SPARE = 64;
/**
 * Bytes that the kernel takes of an answer beyond what it has sent. So much lies there for a player that pauses; for
 * fast players it is raised (native/unsent.h), because each half of it costs a turn.
 */
const UNSENT = 128 * 1024;

/**
 * Bounds of a port in this process, so that players never take the descriptors that misses need.
 * @param limit descriptors that the process may have open
 * @param originConnections most connections to origins
 * @returns also how many descriptors would do for some thousand players
 */
export function portBounds(
  limit: number,
  originConnections: number,
  { connections, requests, loopback }: ClientLimits,
): { readonly bounds: PortBounds; readonly wanted: number } {
  const open = readdirSync('/proc/self/fd').length;
  const reserve = SPARE + originConnections;
  const places = limit - open - Math.min(reserve, Math.floor(limit / 4));
  return {
    bounds: {
      connections: Math.max(1, places),
      perClient: connections === 'auto' ? 0 : connections,
      requests: requests === 'none' ? 0 : requests,
      loopback,
      unsentBytes: UNSENT,
    },
    wanted: PLAYERS + open + reserve,
  };
}
