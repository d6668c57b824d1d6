import type { IncomingMessage, ServerResponse } from 'node:http';
import { RequestBody } from './request-body.js';
import type { Locker, TusServer } from './tus.js';

/** Methods that tus 1.0 gives a meaning. */
const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PATCH', 'DELETE'];

const VERSION = '1.0.0';

/** Has tus answer a request, whose body the store takes as it comes (`RequestBody.current`). */
export async function answerTus(tus: TusServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '', headers } = request;
  if (!METHODS.includes(method)) {
    response.writeHead(405, { Allow: METHODS.join(', ') }).end();
    return;
  }
  if (method !== 'OPTIONS' && (headers['tus-resumable'] ?? VERSION) !== VERSION) {
    response.writeHead(412, { 'Tus-Version': VERSION }).end(`expected version ${VERSION} of tus\n`);
    return;
  }
  const fields = Object.entries(headers).map(([name, value]) => [name, String(value)] as [string, string]);
  const asked = new Request(new URL(url, 'http://localhost'), { method, headers: fields });
  // Where tus looks for whether the client is still there.
  Object.assign(asked, { runtime: { name: 'node', node: { req: request, res: response } } });
  const answer = await new RequestBody(request).during(() => tus.handleWeb(asked));
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.end(answer.body === null ? undefined : await answer.text());
}

/** Locks whose loss ends the reading of the request that has them. */
export function endingReads(locker: Locker): Locker {
  return {
    newLock(id) {
      const lock = locker.newLock(id);
      return {
        lock: (signal, release) => {
          RequestBody.current?.stopBy(signal);
          return lock.lock(signal, release);
        },
        unlock: () => lock.unlock(),
      };
    },
  };
}
