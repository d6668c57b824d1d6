import type { Duplex } from 'node:stream';
import { fieldLine } from '../../base/field-line.js';

/** Milliseconds in which a client takes the last bytes and closes its side: to close at once could lose them. */
const LINGER = 5000;

/** What statuses are called that the front end itself answers with. */
export const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
};

const FIELDS: Readonly<Record<number, string>> = {
  405: fieldLine('Allow', 'GET, HEAD, OPTIONS'),
  503: fieldLine('Retry-After', 5),
};

/** Answers in the place of whoever would have, and closes. */
export function refuse(socket: Duplex, status: number): void {
  const body = `${REASONS[status]}\n`;
  const lines = [
    fieldLine('Content-Type', 'text/plain'),
    fieldLine('Content-Length', body.length),
    FIELDS[status] ?? '',
    fieldLine('Connection', 'close'),
  ];
  socket.end(`HTTP/1.1 ${status} ${REASONS[status]}${lines.join('')}\r\n\r\n${body}`);
  destroyLater(socket);
}

/** Bounds how long a connection lingers that has been ended. */
export function destroyLater(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), LINGER);
  socket.once('close', () => clearTimeout(timer));
}
