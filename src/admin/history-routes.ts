import { EdgeError } from '../base/errors.js';
import { type History, isHistorySpan } from '../observe/history.js';
import { type AdminRoutes, sendJson } from './admin-server.js';

/** Routes of the past, for charts. @param past undefined while the edge is starting */
export function historyRoutes(past: () => History | undefined): AdminRoutes {
  return {
    'GET /history': {
      answer: ({ query, response }) => {
        const span = query.get('span') ?? '1h';
        if (!isHistorySpan(span)) throw new EdgeError('bad_request', `expected span to be 1h or 24h, found ${span}`);
        const found = past();
        if (found === undefined) throw new EdgeError('overloaded', 'the edge is starting: ask again');
        sendJson(response, found.read(span));
      },
    },
  };
}
