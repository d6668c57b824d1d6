import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { EdgeError } from '../../src/base/errors.js';
import { Flv } from '../../src/media/flv/flv.js';
import type { FlvOptions } from '../../src/media/flv/plan.js';
import { FragmentedMp4 } from '../../src/media/fmp4/fragmented-mp4.js';
import { ProgressiveMp4 } from '../../src/media/mp4/progressive.js';
import type { Format } from '../../src/media/seek/format.js';
import { QueryPlanner } from './query-planner.js';
import { MemorySource, mediaObject, render } from './virtual.js';

/** Bytes under a path, with their type. */
export type Page = { readonly type: string; readonly body: string | Uint8Array };

/** What a server of virtual files is made of. */
export interface ServeOptions {
  /** Directory of media files. */
  readonly folder: string;
  readonly flv?: FlvOptions;
  /** Other answers, by path. */
  readonly pages?: Readonly<Record<string, Page>>;
}

/** A server that answers `?start=` and `?end=` from local files through the planner alone: neither cache nor edge. */
export interface VirtualServer {
  /** Without a slash at its end. */
  readonly url: string;
  /** Paths with query and Range of all requests, in order. */
  readonly requests: string[];
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = { mp4: 'video/mp4', flv: 'video/x-flv' };

/** Starts a server on a free port of 127.0.0.1. */
export async function serveVirtual({ folder, flv, pages = {} }: ServeOptions): Promise<VirtualServer> {
  const formats = [
    new ProgressiveMp4({ seek: 'keyframe', maxMoov: 64 << 20 }),
    new FragmentedMp4(),
    new Flv(flv ?? { start: 'auto', timestamps: 'kept' }),
  ] as Format<unknown>[];
  const planner = new QueryPlanner({ formats, indexMemory: 8 << 20 });
  const requests: string[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    requests.push(`${request.url} ${request.headers.range ?? ''}`.trim());
    const page = pages[url.pathname];
    if (page) {
      response.setHeader('Content-Type', page.type);
      response.end(page.body);
      return;
    }
    const name = url.pathname.slice(1);
    if (!/^[\w.-]+$/.test(name)) throw new EdgeError('not_found', 'no such file');
    const bytes = await readFile(join(folder, name)).catch(() => {
      throw new EdgeError('not_found', 'no such file');
    });
    const contentType = TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
    const object = mediaObject(new MemorySource(bytes), { identity: name, contentType });
    const query = { start: url.searchParams.get('start') ?? undefined, end: url.searchParams.get('end') ?? undefined };
    const file = await planner.plan(object, query);
    if (file?.seekActual !== undefined) response.setHeader('X-Seek-Actual', String(file.seekActual));
    response.setHeader('ETag', file?.etag ?? object.etag);
    response.setHeader('Content-Type', contentType);
    response.setHeader('Accept-Ranges', 'bytes');
    send(request, response, file ? render(file, bytes) : bytes);
  }

  const server = createServer((request, response) => {
    response.setHeader('Access-Control-Allow-Origin', '*');
    answer(request, response).catch((error: unknown) => {
      response.statusCode = error instanceof EdgeError ? error.status : 500;
      response.end(String(error));
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function send(request: IncomingMessage, response: ServerResponse, bytes: Buffer): void {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const from = Number(range?.[1] ?? 0);
  const to = Math.min(bytes.length, range?.[2] ? Number(range[2]) + 1 : bytes.length);
  if (from >= to) {
    response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
    return;
  }
  if (range) response.setHeader('Content-Range', `bytes ${from}-${to - 1}/${bytes.length}`);
  response.writeHead(range ? 206 : 200, { 'Content-Length': to - from });
  response.end(bytes.subarray(from, to));
}
