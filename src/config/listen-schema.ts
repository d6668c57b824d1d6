import { isIPv6 } from 'node:net';
import { choice, flag, host, integer, network, path, text } from './kind.js';
import { type Draft, group, list, oneOrMore, setting, type Values, type Wrong } from './setting.js';

const pair = group({
  certificate: setting(
    path('a PEM file'),
    'PEM file of the certificate that players see, followed by those of its issuers; none leaves the port without TLS.',
  ).optional(),
  key: setting(path('a PEM file'), 'PEM file of the private key of that certificate, without a passphrase.').optional(),
});

/** One address that players connect to. */
const listener = group({
  host: setting(host(), 'Address that players connect to.').prefault('0.0.0.0'),
  port: setting(integer(1, 65535), 'Port that players connect to.').prefault(8080),
  unix: setting(path('a file'), 'Unix socket that is listened at in the place of host and port.').optional(),
  mode: setting(
    text('an octal mode such as "0660"', /^0?[0-7]{3}$/),
    'Who may connect to that Unix socket, as the mode of its file.',
  ).prefault('0660'),
  engine: setting(
    choice('auto', 'uws', 'node'),
    'What speaks HTTP: uws is the fastest, node also speaks HTTP/2 and at Unix sockets; auto is uws where that will do.',
  ).prefault('auto'),
  http2: setting(flag(), 'Whether clients that ask for HTTP/2 (by ALPN, so with TLS) get it.').prefault(false),
  tls: oneOrMore(pair, { max: 100 }),
  clientCa: setting(
    path('a PEM file'),
    'PEM file of the authorities whose certificates clients must have; none lets everybody in.',
  ).optional(),
  redirect: setting(
    integer(1, 65535),
    'Port of HTTPS that everybody is sent to, so that this one answers nothing else; none answers here.',
  ).optional(),
  proxyProtocol: setting(
    flag(),
    'Whether connections of trusted proxies begin with a header of the PROXY protocol, version 1 or 2.',
  ).prefault(false),
  trusted: list(setting(network(), 'Proxies that this listener trusts, in the place of those of all listeners.'), {
    max: 1000,
  }),
});

/** What `listen` may be. */
export const listenSchema = oneOrMore(listener, { max: 64 });

/** One address that players connect to, as it is configured. */
export type ListenSettings = Values<typeof listenSchema>[number];

/** What speaks HTTP at a listener. */
export function engineOf({ engine, http2, unix, proxyProtocol }: ListenSettings): 'uws' | 'node' {
  if (engine !== 'auto') return engine;
  return http2 || proxyProtocol || unix !== undefined ? 'node' : 'uws';
}

/** Where a listener is, for people. */
export function shownPlace({ unix, host: name, port }: Pick<ListenSettings, 'unix' | 'host' | 'port'>): string {
  return unix ?? `${name.includes(':') ? `[${name}]` : name}:${port}`;
}

/** The address that a host stands for, in the one way to write it. */
function addressOf(name: string): string {
  if (name.toLowerCase() === 'localhost') return '127.0.0.1';
  if (!isIPv6(name)) return name.toLowerCase();
  const { hostname } = new URL(`http://[${name.split('%')[0]}]`);
  return hostname.slice(1, -1);
}

/** The rules between settings of listeners. @param path to a setting of the listener with this index */
export function checkListeners(listeners: Draft<readonly ListenSettings[]>, wrong: Wrong): void {
  const places = new Set<string>();
  let hasPort = false;
  listeners?.forEach((each, index) => {
    const { host: name, port, unix, engine, http2, tls, clientCa, proxyProtocol } = each ?? {};
    const at = ['listen', index];
    const place = unix ?? `${addressOf(name ?? '')}:${port}`;
    if (unix === undefined && port !== undefined) hasPort = true;
    if ((unix ?? port) !== undefined && places.has(place))
      wrong([...at, unix === undefined ? 'port' : 'unix'], 'expected a place that no other listener has');
    places.add(place);
    if (engine === 'uws' && (http2 || proxyProtocol || unix !== undefined)) {
      wrong([...at, 'engine'], 'expected node, which http2, unix and proxyProtocol need');
    }
    let isSecure = false;
    tls?.forEach((files, number) => {
      const { certificate, key } = files ?? {};
      if (certificate !== undefined && key === undefined)
        wrong([...at, 'tls', number, 'key'], 'expected the private key of listen.tls.certificate');
      if (certificate === undefined && key !== undefined)
        wrong([...at, 'tls', number, 'certificate'], 'expected the certificate of listen.tls.key');
      if (certificate === undefined && key === undefined && number > 0)
        wrong([...at, 'tls', number], 'expected a certificate and its key');
      if (certificate !== undefined) isSecure = true;
    });
    if (tls === undefined || isSecure) return;
    if (http2) wrong([...at, 'http2'], 'expected false without listen.tls, since HTTP/2 is agreed on by TLS');
    if (clientCa !== undefined) wrong([...at, 'clientCa'], 'expected nothing without listen.tls');
  });
  if (listeners !== undefined && listeners.length > 0 && !hasPort && listeners.every(each => each?.unix !== undefined))
    wrong(['listen'], 'expected at least one listener with a port, by which the edge is known');
}
