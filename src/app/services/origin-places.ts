import { matchesHost } from '../../base/host-pattern.js';
import type { OriginPaths } from '../../catalog/player-places.js';
import type { Config } from '../../config/schema.js';

/** Where the objects of origins are: of those that a host leads to, or of all. */
export function placesOf({ origins, routes }: Config, host?: string): OriginPaths[] {
  const led = new Set(
    host === undefined
      ? []
      : routes.filter(each => each.host === undefined || matchesHost(each.host, host)).map(({ origin }) => origin),
  );
  return origins
    .filter(each => host === undefined || each.host === undefined || matchesHost(each.host, host) || led.has(each.name))
    .map(({ name, path, stripPath }) => ({ origin: name, base: stripPath ? path.replace(/\/+$/, '') : '' }));
}
