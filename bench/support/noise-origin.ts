import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const BLOCK = 256 * 1024;
const RANGE = /^bytes=(\d+)-(\d+)?$/;

/**
 * An origin that has every file: `/MEBIBYTES/NAME` is a file of so many (`0.25` is a block), of noise that no two
 * places of it share.
 */
export interface NoiseOrigin {
  readonly url: string;
  /** Bytes of bodies that it has sent. */
  bytes(): number;
  close(): void;
}

/**
 * Starts it within this process.
 * @param began told the path and first byte of each answer, just before its first byte is written
 * @param latency milliseconds that it takes to answer
 */
export async function startNoiseOrigin(
  began: (path: string, start: number) => void = () => {},
  latency = 0,
): Promise<NoiseOrigin> {
  const noise = Buffer.alloc(2 * BLOCK);
  let state = 7;
  for (let at = 0; at < noise.length; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    noise.writeUInt32LE(state, at);
  }
  let sent = 0;
  const server = createServer(async (request, response) => {
    const size = Number(request.url?.split('/')[1]) * 2 ** 20;
    if (!(size > 0)) {
      response.writeHead(404).end();
      return;
    }
    const range = RANGE.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(size, Number(range?.[2] ?? size - 1) + 1);
    if (latency > 0) await new Promise(resolve => setTimeout(resolve, latency));
    response.writeHead(range === null ? 200 : 206, {
      'Content-Type': 'video/mp4',
      'Content-Length': end - start,
      'Cache-Control': 'max-age=86400',
      ETag: '"noise"',
      'Accept-Ranges': 'bytes',
      ...(range === null ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${size}` }),
    });
    began(request.url!, start);
    let at = start;
    const send = () => {
      while (at < end && request.method !== 'HEAD') {
        const length = Math.min(BLOCK, end - at);
        const from = (at * 31) % BLOCK;
        at += length;
        sent += length;
        if (!response.write(noise.subarray(from, from + length)) && at < end) {
          response.once('drain', send);
          return;
        }
      }
      response.end();
    };
    send();
  });
  server.keepAliveTimeout = 600_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    bytes: () => sent,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
