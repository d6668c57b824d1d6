import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { EdgeError } from '../base/errors.js';
import { hostName } from './access.js';
import type { AdminRoute, AdminRoutes } from './admin-server.js';

/** Folder of the pages. Compiled code runs in dist/, beside src/, where the pages stay. */
const ASSETS = new URL('../../src/admin/assets/', import.meta.url);

/** The port that players connect to, and what it speaks. */
export interface PlayerPort {
  readonly scheme: 'http' | 'https';
  readonly port: number;
}

/**
 * Routes of the dashboard and the demo player. Pages are static and hold no data, so they are open; what they show they
 * fetch.
 */
export function pageRoutes(player: () => PlayerPort): AdminRoutes {
  const asset = (file: string, type: string) => pageRoute(file, type, player);
  return {
    'GET /': asset('dashboard.html', 'text/html; charset=utf-8'),
    'GET /live.html': asset('live.html', 'text/html; charset=utf-8'),
    'GET /cluster.html': asset('cluster.html', 'text/html; charset=utf-8'),
    'GET /player': asset('player.html', 'text/html; charset=utf-8'),
    'GET /dashboard.mjs': asset('dashboard.mjs', 'text/javascript; charset=utf-8'),
    'GET /live.mjs': asset('live.mjs', 'text/javascript; charset=utf-8'),
    'GET /cluster.mjs': asset('cluster.mjs', 'text/javascript; charset=utf-8'),
    'GET /page.mjs': asset('page.mjs', 'text/javascript; charset=utf-8'),
    'GET /player.mjs': asset('player.mjs', 'text/javascript; charset=utf-8'),
    'GET /style.css': asset('style.css', 'text/css; charset=utf-8'),
    'GET /hls.mjs': library('hls.js', 'hls.js/dist/hls.min.mjs'),
    'GET /dash.mjs': library('dashjs', 'dashjs'),
    'GET /mpegts.js': library('mpegts.js', 'mpegts.js'),
  };
}

/**
 * A page or what belongs to one.
 * @param file in the folder of pages
 * @param player the port that it may reach beside its own, where there is one
 */
export function pageRoute(file: string, type: string, player?: () => PlayerPort): AdminRoute {
  const text = readFileSync(new URL(file, ASSETS), 'utf8');
  return {
    open: true,
    answer: ({ request, response }) => send(request, response, text, type, player?.()),
  };
}

/**
 * A player that the demo page can use when its package is installed beside this one; the product itself needs none.
 * @param module as an import would name it
 */
function library(name: string, module: string): AdminRoute {
  return {
    open: true,
    answer: async ({ response }) => {
      const bytes = await installed(module);
      if (bytes === undefined) throw new EdgeError('not_found', `${name} is not installed: npm install ${name}`);
      response.writeHead(200, {
        'Content-Type': 'text/javascript; charset=utf-8',
        'Content-Length': bytes.length,
      });
      response.end(bytes);
    },
  };
}

/** The file of a module; undefined when it is not there. */
async function installed(module: string): Promise<Buffer | undefined> {
  try {
    return await readFile(fileURLToPath(import.meta.resolve(module)));
  } catch {
    return undefined;
  }
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  text: string,
  type: string,
  player: PlayerPort | undefined,
): void {
  const name = hostName(request.headers.host) ?? 'localhost';
  const { scheme, port } = player ?? { scheme: 'http', port: 0 };
  const media = player === undefined ? '' : `${scheme}://${name.includes(':') ? `[${name}]` : name}:${port}`;
  const body = text.replaceAll('{{playerPort}}', String(port)).replaceAll('{{playerScheme}}', scheme);
  response.writeHead(200, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Content-Security-Policy': `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ${media} ${media.replace('http', 'ws')}; media-src ${media} blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`,
    'Referrer-Policy': 'no-referrer',
  });
  response.end(body);
}
