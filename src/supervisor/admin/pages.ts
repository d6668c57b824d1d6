import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { hostName } from './access.js';
import type { AdminRoute, AdminRoutes } from './admin-server.js';

/** Folder of the pages. Compiled code runs in dist/, beside src/, where the pages stay. */
const ASSETS = new URL('../../../src/supervisor/assets/', import.meta.url);

/** What a page's `{{playerPort}}` stands for. */
const PLAYER_PORT = /\{\{playerPort\}\}/g;

/** Routes of the dashboard and the demo player. Pages are static and hold no data, so they are open; what they show they fetch. */
export function pageRoutes(playerPort: () => number): AdminRoutes {
  const asset = (file: string, type: string): AdminRoute => {
    const text = readFileSync(new URL(file, ASSETS), 'utf8');
    return {
      open: true,
      answer: ({ request, response }) => send(request, response, text, type, playerPort()),
    };
  };
  return {
    'GET /': asset('dashboard.html', 'text/html; charset=utf-8'),
    'GET /player': asset('player.html', 'text/html; charset=utf-8'),
    'GET /dashboard.mjs': asset('dashboard.mjs', 'text/javascript; charset=utf-8'),
    'GET /player.mjs': asset('player.mjs', 'text/javascript; charset=utf-8'),
    'GET /style.css': asset('style.css', 'text/css; charset=utf-8'),
  };
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  text: string,
  type: string,
  playerPort: number,
): void {
  const name = hostName(request.headers.host) ?? 'localhost';
  const media = `http://${name.includes(':') ? `[${name}]` : name}:${playerPort}`;
  const body = text.replace(PLAYER_PORT, String(playerPort));
  response.writeHead(200, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Content-Security-Policy': `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src ${media}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`,
    'Referrer-Policy': 'no-referrer',
  });
  response.end(body);
}
