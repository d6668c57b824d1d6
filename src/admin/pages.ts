import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { EdgeError } from '../base/errors.js';
import { hostName } from './access.js';
import type { AdminRoute, AdminRoutes } from './admin-server.js';

/** Folder of the pages. Compiled code runs in dist/, beside src/, where the pages stay. */
const ASSETS = new URL('../../src/admin/assets/', import.meta.url);
const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';

/** The port that players connect to, and what it speaks. */
export interface PlayerPort {
  readonly scheme: 'http' | 'https';
  readonly port: number;
}

/** A page: all have one frame, with a title, links to the others, a place for the token, and what its script shows. */
interface Page {
  readonly title: string;
  /** Its script, a file among the pages. */
  readonly script: string;
  /** What other pages call it. */
  readonly link: string;
}

/** Pages of an admin port, by their paths. */
export type Pages = Readonly<Record<string, Page>>;

/** Pages of an edge. */
const EDGE_PAGES: Pages = {
  '/': { title: 'moovedge', script: 'dashboard.mjs', link: 'Dashboard' },
  '/player': { title: 'moovedge player', script: 'player.mjs', link: 'Player' },
  '/live.html': { title: 'moovedge live streams', script: 'live.mjs', link: 'Live' },
  '/cluster.html': { title: 'moovedge cluster', script: 'cluster.mjs', link: 'Cluster' },
};

/** Routes of the pages of an edge. */
export function edgePageRoutes(player: () => PlayerPort): AdminRoutes {
  return {
    ...pageRoutes(EDGE_PAGES, ['charts.mjs', 'film-map.mjs', 'operations.mjs'], player),
    'GET /uplot.mjs': library('uplot', 'uplot/dist/uPlot.esm.js'),
    'GET /uplot.css': library('uplot', 'uplot/dist/uPlot.min.css', STYLE),
    'GET /hls.mjs': library('hls.js', 'hls.js/dist/hls.min.mjs'),
    'GET /dash.mjs': library('dashjs', 'dashjs'),
    'GET /mpegts.js': library('mpegts.js', 'mpegts.js'),
  };
}

/**
 * Routes of pages, their scripts and their style. They are static and hold no data, so they are open; what they show
 * they fetch.
 * @param modules further scripts that theirs import
 * @param player the port that they may reach beside their own, where there is one
 */
export function pageRoutes(pages: Pages, modules: readonly string[] = [], player?: () => PlayerPort): AdminRoutes {
  const frame = readAsset('frame.html');
  const links = Object.entries(pages).map(([path, { link }]) => `<a href="${path}">${link}</a>`);
  const routes: Record<string, AdminRoute> = {
    'GET /page.mjs': route(readAsset('page.mjs'), SCRIPT, player),
    'GET /style.css': route(readAsset('style.css'), STYLE, player),
  };
  for (const [path, { title, script }] of Object.entries(pages)) {
    const values: Readonly<Record<string, string>> = { title, script: `/${script}`, links: links.join('') };
    const html = frame.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => values[name] ?? whole);
    routes[`GET ${path}`] = route(html, 'text/html; charset=utf-8', player);
    routes[`GET /${script}`] = route(readAsset(script), SCRIPT, player);
  }
  for (const module of modules) routes[`GET /${module}`] = route(readAsset(module), SCRIPT, player);
  return routes;
}

function readAsset(file: string): string {
  return readFileSync(new URL(file, ASSETS), 'utf8');
}

function route(text: string, type: string, player: (() => PlayerPort) | undefined): AdminRoute {
  return {
    open: true,
    answer: ({ request, response }) => send(request, response, text, type, player?.()),
  };
}

/**
 * What belongs to a package, which may not be installed beside this one: players of the demo page.
 * @param module as an import would name it
 */
function library(name: string, module: string, type = SCRIPT): AdminRoute {
  return {
    open: true,
    answer: async ({ response }) => {
      const bytes = await installed(module);
      if (bytes === undefined) throw new EdgeError('not_found', `${name} is not installed: npm install ${name}`);
      response.writeHead(200, { 'Content-Type': type, 'Content-Length': bytes.length });
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
    'Content-Security-Policy': `default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' ${media} ${media.replace('http', 'ws')}; media-src ${media} blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`,
    'Referrer-Policy': 'no-referrer',
  });
  response.end(body);
}
