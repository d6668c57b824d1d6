import type { PurgeResult } from '../admin/purge-request.js';
import { EdgeError } from '../base/errors.js';
import type { AdminClient } from './admin-client.js';

/** What shall be purged; exactly one of the first three. */
export interface PurgeFlags {
  readonly prefix?: string;
  readonly all?: boolean;
  readonly soft?: boolean;
}

/**
 * Purges from a running edge; returns when it has taken effect.
 * @throws EdgeError
 */
export async function purge(
  client: AdminClient,
  urls: readonly string[],
  { prefix, all, soft = false }: PurgeFlags,
): Promise<void> {
  const scopes = [
    urls.length > 0 ? { urls } : undefined,
    prefix === undefined ? undefined : { prefix },
    all === true ? { all } : undefined,
  ];
  const [scope, ...more] = scopes.filter(each => each !== undefined);
  if (scope === undefined || more.length > 0) throw new EdgeError('usage', 'expected URLs, or --prefix, or --all');
  const result = (await client.json('POST', '/purge', { ...scope, soft })) as PurgeResult;
  const count = `${result.more ? 'at least ' : ''}${result.objects} ${result.objects === 1 ? 'object' : 'objects'}`;
  process.stdout.write(`${soft ? 'marked stale' : 'purged'}: ${count}\n`);
}
