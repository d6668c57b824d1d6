import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';

/** A process that listens on a port. */
export interface Listener {
  readonly pid: number;
  /** Name of its program, at most 15 characters. */
  readonly name: string;
  readonly parent: number;
}

/** State of a listening socket in /proc/net/tcp. */
const LISTEN = '0A';
/** Bytes of the table that are read: room for more than a thousand listening sockets. */
const TABLE_READ = 256 * 1024;

/** Sockets that listen on TCP port `port` in this network namespace, whoever holds them. */
export function countListeners(port: number): number {
  return listeningInodes(port).length;
}

/** Processes that listen on TCP port `port` in this network namespace, as far as this user may look into them. */
export function listenersOf(port: number): Listener[] {
  const inodes = new Set(listeningInodes(port));
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

function listeningInodes(port: number): string[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(listeningRows).flatMap(row => {
    const [, local = '', , , , , , , , inode = ''] = row;
    return Number.parseInt(local.split(':')[1] ?? '', 16) === port ? [inode] : [];
  });
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
