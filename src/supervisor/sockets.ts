import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { isIP } from 'node:net';
import { Networks } from '../base/networks.js';

/** A process that listens on a port. */
export interface Listener {
  readonly pid: number;
  /** Name of its program, at most 15 characters. */
  readonly name: string;
  readonly parent: number;
}

/** A socket that listens. */
interface ListeningSocket {
  readonly address: string;
  readonly inode: string;
}

const ANY_ADDRESS = new Networks(['0.0.0.0', '::']);
/** State of a listening socket in /proc/net/tcp. */
const LISTEN = '0A';
/** Bytes of the table that are read: room for more than a thousand listening sockets. */
const TABLE_READ = 256 * 1024;

/**
 * Sockets that listen on TCP port `port` in this network namespace, whoever holds them.
 * @param hosts addresses at which they do; a name stands for any
 */
export function countListeners(port: number, hosts: readonly string[]): number {
  const sockets = socketsOn(port);
  if (!hosts.every(isAddress)) return sockets.length;
  const wanted = new Networks(hosts);
  return sockets.filter(({ address }) => wanted.has(address)).length;
}

/**
 * Processes that listen on TCP port `port` in this network namespace, as far as this user may look into them: at this
 * very address, or, where nobody does, at one that leaves no room for it. A name stands for any address.
 */
export function listenersOf(host: string, port: number): Listener[] {
  const inodes = new Set(socketsAt(host, port).map(({ inode }) => inode));
  if (inodes.size === 0) return [];
  return readdir('/proc')
    .filter(name => /^\d+$/.test(name) && holdsSocket(name, inodes))
    .flatMap(pid => processOf(Number(pid)) ?? []);
}

/** A process by its number; undefined when there is none. */
export function processOf(pid: number): Listener | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return { pid, name: field(status, 'Name'), parent: Number(field(status, 'PPid')) };
  } catch {
    return undefined;
  }
}

function field(status: string, name: string): string {
  return new RegExp(`^${name}:\\t(.*)$`, 'm').exec(status)?.[1] ?? '';
}

function isAddress(host: string): boolean {
  return isIP(host) !== 0;
}

function socketsAt(host: string, port: number): ListeningSocket[] {
  const sockets = socketsOn(port);
  if (!isAddress(host)) return sockets;
  const own = new Networks([host]);
  const same = sockets.filter(({ address }) => own.has(address));
  if (same.length > 0) return same;
  return ANY_ADDRESS.has(host) ? sockets : sockets.filter(({ address }) => ANY_ADDRESS.has(address));
}

function socketsOn(port: number): ListeningSocket[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(listeningRows).flatMap(row => {
    const [, local = '', , , , , , , , inode = ''] = row;
    const [address = '', number = ''] = local.split(':');
    return Number.parseInt(number, 16) === port ? [{ address: addressOf(address), inode }] : [];
  });
}

/** An address out of words of 32 bits, each in this machine's order, which is the little end first. */
function addressOf(words: string): string {
  const bytes = Buffer.from(words, 'hex').swap32();
  if (bytes.length === 4) return bytes.join('.');
  return bytes.toString('hex').match(/.{4}/g)!.join(':');
}

/** The rows of the sockets that listen, which the kernel puts before all others, split into fields. */
function listeningRows(table: string): string[][] {
  const bytes = Buffer.alloc(TABLE_READ);
  let length = 0;
  try {
    const fd = openSync(table, 'r');
    for (let read = 1; read > 0 && length < bytes.length; length += read)
      read = readSync(fd, bytes, length, bytes.length - length, null);
    closeSync(fd);
  } catch {
    // No IPv6, or no /proc.
  }
  const rows = bytes.toString('latin1', 0, length).split('\n').slice(1, -1);
  return rows.map(row => row.trim().split(/\s+/)).filter(([, , , state]) => state === LISTEN);
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  return readdir(`/proc/${pid}/fd`).some(fd => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    } catch {
      return false;
    }
  });
}

function readdir(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
