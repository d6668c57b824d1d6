import type { AccessEntry } from '../observe/access-entry.js';
import type { GateRefusal } from './gate.js';

/** What the access log tells of a request that was refused before it was read. */
export function refusalEntry({ status, time, client }: GateRefusal): AccessEntry {
  return {
    time,
    client,
    status,
    method: '',
    host: '',
    url: '',
    id: '',
    protocol: '',
    bytes: 0,
    seconds: 0,
    ttfb: undefined,
    end: 'cut',
    outcome: undefined,
    range: undefined,
    referer: undefined,
    agent: undefined,
    origin: undefined,
    route: undefined,
    error: 'the request was refused before it was read',
  };
}
