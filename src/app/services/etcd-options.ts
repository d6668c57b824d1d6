import { readFileSync } from 'node:fs';
import { EdgeError } from '../../base/errors.js';
import type { GatewayOptions } from '../../cluster/etcd/gateway.js';
import type { EtcdSettings } from '../../config/etcd-settings.js';

/**
 * How the etcd of a configuration is reached, its certificates read.
 * @param place of its settings, such as `cluster.etcd`, for messages
 * @throws EdgeError `bad_config` when a file can't be read
 */
export function etcdOptions({ endpoints, username, password, tls }: EtcdSettings, place: string): GatewayOptions {
  const read = (key: 'ca' | 'cert' | 'key') => {
    const file = tls[key];
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw new EdgeError('bad_config', `${place}.tls.${key}: ${file} can't be read: ${(error as Error).message}`);
    }
  };
  return { endpoints, username, password, tls: { ca: read('ca'), cert: read('cert'), key: read('key') } };
}
