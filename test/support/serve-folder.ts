import { open, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

/** A server of files for pages of any origin. */
export interface FolderServer {
  /** Without a slash at its end. */
  readonly url: string;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  ...{ '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript' },
  ...{ '.mp4': 'video/mp4', '.m4s': 'video/iso.segment', '.mpd': 'application/dash+xml' },
  '.m3u8': 'application/vnd.apple.mpegurl',
};

/** Serves files, whole or a range of them, from 127.0.0.1. @param roots folders by the first part of a path */
export async function serveFolders(roots: Readonly<Record<string, string>>): Promise<FolderServer> {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const [, root = '', ...rest] = normalize(decodeURI(new URL(request.url ?? '/', 'http://x').pathname)).split('/');
    const path = join(roots[root] ?? '/nowhere', ...rest);
    const { size } = await stat(path);
    const [, first = '0', last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const [start, end] = [Number(first), Math.min(size, last ? Number(last) + 1 : size)];
    const isPart = request.headers.range !== undefined;
    response.writeHead(isPart ? 206 : 200, {
      'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
      'Content-Length': end - start,
      'Accept-Ranges': 'bytes',
      ...(isPart && { 'Content-Range': `bytes ${start}-${end - 1}/${size}` }),
    });
    const file = await open(path);
    file.createReadStream({ start, end: end - 1 }).pipe(response);
  };
  const server = createServer((request, response) => {
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Access-Control-Allow-Headers', 'Range');
    answer(request, response).catch(() => response.writeHead(404).end());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
