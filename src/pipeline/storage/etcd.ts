import { etcdOptions } from '../../app/services/etcd-options.js';
import { Gateway } from '../../cluster/etcd/gateway.js';
import type { Config } from '../../config/schema.js';

/**
 * The etcd in which those who write to the storage find one another; undefined when the configuration names none.
 * @throws EdgeError `bad_config` when a certificate can't be read
 */
export function etcdOf({ storage, cluster }: Config): { gateway: Gateway; prefix: string } | undefined {
  const settings = storage?.etcd ?? cluster?.etcd;
  if (settings === undefined) return undefined;
  const place = storage?.etcd === undefined ? 'cluster.etcd' : 'storage.etcd';
  return { gateway: new Gateway(etcdOptions(settings, place)), prefix: settings.prefix };
}
