import type { PurgeResult } from '../admin/purge-request.js';
import { EdgeError } from '../base/errors.js';
import type { AdminClient } from './admin-client.js';

/** What shall be purged; exactly one of them, but `soft`. */
export interface PurgeFlags {
  readonly prefix?: string;
  readonly tag?: readonly string[];
  readonly glob?: string;
  readonly regex?: string;
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
  { prefix, tag, glob, regex, all, soft = false }: PurgeFlags,
): Promise<void> {
  const scopes = [
    urls.length > 0 ? { urls } : undefined,
    prefix === undefined ? undefined : { prefix },
    tag === undefined ? undefined : { tags: tag },
    glob === undefined ? undefined : { glob },
    regex === undefined ? undefined : { regex },
    all === true ? { all } : undefined,
  ];
  const [scope, ...more] = scopes.filter(each => each !== undefined);
  if (scope === undefined || more.length > 0)
    throw new EdgeError('usage', 'expected URLs, or one of --prefix, --tag, --glob, --regex and --all');
  const result = (await client.json('POST', '/purge', { ...scope, soft })) as PurgeResult;
  const count = `${result.more ? 'at least ' : ''}${result.objects} ${result.objects === 1 ? 'object' : 'objects'}`;
  process.stdout.write(`${soft ? 'marked stale' : 'purged'}: ${count}\n`);
}
