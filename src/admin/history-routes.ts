import { EdgeError } from '../base/errors.js';
import { type History, isHistorySpan } from '../observe/history.js';
import { type AdminRoutes, sendJson } from './admin-server.js';

/** Routes of the past, for charts. @param past throws EdgeError `overloaded` while the edge is starting */
export function historyRoutes(past: () => History): AdminRoutes {
  return {
    'GET /history': {
      answer: ({ query, response }) => {
        const span = query.get('span') ?? '1h';
        if (!isHistorySpan(span)) throw new EdgeError('bad_request', `expected span to be 1h or 24h, found ${span}`);
        sendJson(response, past().read(span));
      },
    },
  };
}
