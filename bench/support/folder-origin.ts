import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';

const RANGE = /^bytes=(\d+)-(\d+)?$/;

/** An origin that has the files of a folder, and lets caches keep them for a day. */
export interface FolderOrigin {
  readonly url: string;
  /** Bytes of bodies that it has answered with. */
  readonly sent: number;
  close(): Promise<void>;
}

/** Starts it within this process. */
export async function startFolderOrigin(root: string): Promise<FolderOrigin> {
  let sent = 0;
  const server = createServer((request, response) => {
    sent += answer(root, request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    get sent() {
      return sent;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** @returns bytes of the body */
function answer(root: string, { url = '/', method, headers }: IncomingMessage, response: ServerResponse): number {
  const file = join(root, url);
  const status = statSync(file, { throwIfNoEntry: false });
  if (status?.isFile() !== true) {
    response.writeHead(404).end();
    return 0;
  }
  const range = RANGE.exec(headers.range ?? '');
  const start = Number(range?.[1] ?? 0);
  const end = Math.min(Number(range?.[2] ?? status.size - 1), status.size - 1);
  response.writeHead(range === null ? 200 : 206, {
    'Content-Type': 'video/mp4',
    'Content-Length': end - start + 1,
    'Cache-Control': 'max-age=86400',
    'Accept-Ranges': 'bytes',
    ETag: `"${status.size}"`,
    ...(range === null ? {} : { 'Content-Range': `bytes ${start}-${end}/${status.size}` }),
  });
  if (method === 'HEAD') {
    response.end();
    return 0;
  }
  pipeline(createReadStream(file, { start, end }), response, () => {});
  return end - start + 1;
}
