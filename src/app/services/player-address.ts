import { randomBytes } from 'node:crypto';
import { type OwnAddress, type PlayerAddress, reachable } from '../../admin/edge-fetch.js';
import { engineOf, type ListenSettings } from '../../config/listen-schema.js';
import { mainListener, playerListener, schemeOf } from '../../config/places.js';
import type { Config } from '../../config/schema.js';
import { ClientAddresses } from '../../http/client-address.js';

/** By which the workers of this process know its requests. */
export const OWN_KEY = randomBytes(32).toString('base64url');
/** Version 1, of a proxy that asks for itself. */
const OWN_CONNECTION = 'PROXY UNKNOWN\r\n';

/** Where players connect to. */
export function playerAddress(config: Config): PlayerAddress {
  return addressOf(playerListener(config));
}

/**
 * Where the edge reaches itself: no client has to show a certificate there, if there is such a port. One that sends
 * players elsewhere answers the edge itself.
 */
export function ownAddress(config: Config): OwnAddress {
  const isOpen = (each: ListenSettings) => each.unix === undefined && !(engineOf(each) === 'node' && each.clientCa);
  const listener = config.listen.find(isOpen) ?? mainListener(config);
  const { proxyProtocol, trusted, host } = listener;
  const clients = new ClientAddresses(trusted.length > 0 ? trusted : config.trusted);
  // Whoever is reached at an address of this machine sees that address.
  const isProxy = proxyProtocol && clients.trusts(reachable(host));
  return { ...addressOf(listener), key: OWN_KEY, preface: isProxy ? OWN_CONNECTION : undefined };
}

function addressOf(listener: ListenSettings): PlayerAddress {
  return { scheme: schemeOf(listener), host: listener.host, port: listener.port };
}
