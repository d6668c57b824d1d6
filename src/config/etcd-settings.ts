import { path, text } from './kind.js';
import { type Draft, group, type item, list, setting, type Values, type Wrong } from './setting.js';

/**
 * Settings of an etcd, for each place that names one.
 * @param whose begins their sentences, so that people know which one is meant
 */
export function etcdSettings(whose = '') {
  return {
    endpoints: list(
      setting(
        text('a URL such as http://10.0.0.1:2379', /^https?:\/\/[^\s/?#@]+\/?$/),
        `${whose}Members of the etcd cluster, which are asked in turn; 3.4 or later.`,
      ),
      { max: 16 },
    ).prefault(['http://127.0.0.1:2379']),
    prefix: setting(
      text('a path such as /moovedge, without a slash at its end', /^\/[\w./-]{0,200}[\w.-]$/),
      `${whose}Beginning of all keys there; clusters that share an etcd need different ones.`,
    ).prefault('/moovedge'),
    username: setting(text('a user name'), `${whose}User of etcd’s authentication.`).optional(),
    password: setting(text('a password'), `${whose}Password of that user.`, { secret: true }).optional(),
    tls: group({
      ca: setting(
        path('a PEM file'),
        `${whose}Authorities that etcd’s certificate may be of; left out: Node’s own.`,
      ).optional(),
      cert: setting(
        path('a PEM file'),
        `${whose}Certificate that etcd knows this node by; without a common name when etcd has users.`,
      ).optional(),
      key: setting(path('a PEM file'), `${whose}Private key of that client certificate.`).optional(),
    }),
  };
}

/** How an etcd is reached. */
export type EtcdSettings = Values<ReturnType<typeof item<ReturnType<typeof etcdSettings>>>>;

/** Refuses a user without a password, and a certificate without its key or the other way round. */
export function checkEtcd(etcd: Draft<EtcdSettings>, wrong: Wrong): void {
  const { username, password, tls } = etcd ?? {};
  if (username !== undefined && password === undefined) wrong(['password'], 'expected the password of username');
  if (tls?.cert !== undefined && tls.key === undefined) wrong(['tls', 'key'], 'expected the private key of tls.cert');
  if (tls?.key !== undefined && tls.cert === undefined) wrong(['tls', 'cert'], 'expected the certificate of tls.key');
}
