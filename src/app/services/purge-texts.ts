import { type EdgeUrl, type PurgeRequest, parsePurge } from '../../admin/purge-request.js';
import { EdgeError } from '../../base/errors.js';

/** Most characters of URLs in one text: etcd takes no more than a megabyte or so at a time. */
const TEXT_MAX = 64 * 1024;

/** A purge as texts for other nodes, in the form that the admin port takes; one for most. */
export function purgeTexts({ scope, soft }: PurgeRequest): string[] {
  if (scope.kind === 'all') return [JSON.stringify({ all: true, soft })];
  if (scope.kind === 'prefix') return [JSON.stringify({ prefix: urlOf(scope.prefix), soft })];
  if (scope.kind === 'tags') return [JSON.stringify({ tags: scope.tags, soft })];
  if (scope.kind === 'regex') return [JSON.stringify({ regex: scope.regex, soft })];
  if (scope.kind === 'glob') {
    const { host, glob } = scope;
    return [JSON.stringify({ glob: host === undefined ? glob : `http://${host}${glob}`, soft })];
  }
  const texts: string[] = [];
  let urls: string[] = [];
  let length = 0;
  for (const url of scope.urls.map(urlOf)) {
    if (urls.length > 0 && length + url.length > TEXT_MAX) {
      texts.push(JSON.stringify({ urls, soft }));
      urls = [];
      length = 0;
    }
    urls.push(url);
    length += url.length;
  }
  texts.push(JSON.stringify({ urls, soft }));
  return texts;
}

/** @throws EdgeError `bad_request` */
export function readPurge(text: string): PurgeRequest {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new EdgeError('bad_request', `expected JSON, found ${text.slice(0, 100)}`);
  }
  return parsePurge(body);
}

function urlOf({ host, path, query }: EdgeUrl): string {
  return `${host === undefined ? '' : `http://${host}`}${path}${query && `?${query}`}`;
}
