import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { countListeners } from './sockets.js';

/** What the native addon knows of this process's listening sockets. */
export interface ListenerAddon {
  /**
   * This process's listeners on `port` take no new handshake from here on. Returns how many there are; -1 when the
   * process may not say so, for want of CAP_NET_ADMIN.
   */
  refuseConnections(port: number): number;
  /** The same for processes without that right; what is accepted afterwards stays deaf. */
  refuseByHops(port: number): void;
  /**
   * New connections on `port` go to the `count` listeners, of all processes that share it, that began to listen after
   * the first `first`. With a count of 0 the kernel chooses again.
   */
  steerConnections(port: number, first: number, count: number): void;
  /** Connections on `port` that the kernel has completed and this process has not accepted yet. */
  waitingConnections(port: number): number;
}

/** Milliseconds in which handshakes that have begun are completed: a round trip to a far client. */
const HANDSHAKE = 300;
/** A client sends a dropped SYN again after a second; by then the listener must be gone. */
const LONGEST = 800;
const INTERVAL = 20;
/**
 * All processes close at the same beat of the clock, because the first close takes the steering from the others.
 * Milliseconds.
 */
const BEAT = 50;

/**
 * Brings this process's listener on `port` into a state in which closing it loses no connection, if other processes go
 * on listening: new connections are steered to them, and those that the kernel has taken are accepted here. To be
 * called by all processes that are about to close, at the same time, and to be followed by the close at once.
 *
 * A client whose connection comes here all the same, because a process has just died, is connected a second late. Where
 * the system moves waiting connections to another listener (`net.ipv4.tcp_migrate_req`), none of this is needed.
 * Without the right to drop a SYN from the start, the steering alone keeps new connections away, and one that comes all
 * the same is accepted until the last moment.
 * @param closing how many processes are about to close; they began to listen before those that stay
 * @param hosts addresses of the port at which each of them listens
 */
export async function quiesceListener(
  port: number,
  closing: number,
  addon: ListenerAddon,
  hosts: readonly string[],
): Promise<void> {
  if (movesConnections()) return;
  const staying = Math.floor(countListeners(port, hosts) / hosts.length) - closing;
  if (staying > 0) addon.steerConnections(port, closing, staying);
  const listeners = addon.refuseConnections(port);
  if (listeners === 0) return;
  const begun = performance.now();
  await sleep(HANDSHAKE);
  while (addon.waitingConnections(port) > 0 && performance.now() - begun < LONGEST) await sleep(INTERVAL);
  if (listeners < 0) addon.refuseByHops(port);
  await sleep(BEAT - (Date.now() % BEAT));
  if (staying > 0) addon.steerConnections(port, 0, 0);
}

function movesConnections(): boolean {
  try {
    return readFileSync('/proc/sys/net/ipv4/tcp_migrate_req', 'utf8').trim() === '1';
  } catch {
    return false;
  }
}
