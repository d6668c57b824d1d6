import type { WireError } from './messages.js';

/**
 * Why etcd did not do what it was asked: `unreachable` (no connection, or one that broke), `timeout`, `no_leader` (the
 * member has none, such as in a minority), `auth` (name, password or certificate), `compacted` (a revision that is
 * gone), `lease` (not there any more), `protocol` (no etcd, or one that can't do this), `other`.
 */
export type EtcdFailure =
  | 'unreachable'
  | 'timeout'
  | 'no_leader'
  | 'auth'
  | 'compacted'
  | 'lease'
  | 'protocol'
  | 'other';

/** A failure of etcd. Nothing in the way of a request of a player ever waits for one. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError';

  constructor(
    readonly failure: EtcdFailure,
    message: string,
    /** The member's URL. */
    readonly endpoint = '',
  ) {
    super(endpoint === '' ? message : `${endpoint}: ${message}`);
  }

  /** Another member may do it. */
  get isElsewhere(): boolean {
    return this.failure === 'unreachable' || this.failure === 'timeout' || this.failure === 'no_leader';
  }
}

const CN_HINT =
  'etcd with authentication refuses client certificates that have a common name on its gateway: use one without (subject without CN), or none';

/** The error that an answer of the gateway stands for. */
export function errorOf(status: number, { error, message, code, grpc_code }: WireError, endpoint: string): EtcdError {
  const text = message ?? error ?? `status ${status}`;
  const failure = failureOf(status, text, grpc_code ?? code);
  return new EtcdError(failure, /CommonName/.test(text) ? `${text} (${CN_HINT})` : text, endpoint);
}

function failureOf(status: number, text: string, code: number | undefined): EtcdFailure {
  if (/CommonName/.test(text)) return 'auth';
  if (/no leader/.test(text)) return 'no_leader';
  if (/lease not found/.test(text)) return 'lease';
  if (/compacted/.test(text)) return 'compacted';
  if (/timed out|deadline/i.test(text)) return 'timeout';
  if (code === 16 || status === 401 || status === 403 || code === 7 || /user name is empty|authentication/.test(text)) {
    return 'auth';
  }
  if (code === 14 || status === 503) return 'unreachable';
  return status === 404 ? 'protocol' : 'other';
}
