import type { Socket } from 'node:net';
import { parseProxyHeader } from './proxy-header.js';

/** Milliseconds in which the header must have come. */
const PATIENCE = 10_000;

/**
 * Reads the header of the PROXY protocol from a connection; what follows it is left on the connection.
 * @param done is given the address of the client, undefined for the other end itself, or `wrong`
 */
export function readProxyHeader(socket: Socket, done: (address: string | undefined | 'wrong') => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  const end = (address: string | undefined) => {
    clearTimeout(timer);
    socket.off('data', take).off('close', cancel).off('end', wrong).pause();
    done(address);
  };
  const wrong = () => end('wrong');
  const cancel = () => clearTimeout(timer);
  const take = (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const header = parseProxyHeader(bytes);
    if (header.kind === 'part') return;
    if (header.kind === 'whole') {
      socket.pause();
      if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
      end(header.address);
    } else wrong();
  };
  const timer = setTimeout(wrong, PATIENCE);
  socket.on('data', take).once('end', wrong).once('close', cancel);
}
