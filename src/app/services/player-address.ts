import type { PlayerAddress } from '../../admin/edge-fetch.js';
import { mainListener, playerScheme } from '../../config/places.js';
import type { Config } from '../../config/schema.js';

/** Where players connect to. */
export function playerAddress(config: Config): PlayerAddress {
  const { host, port } = mainListener(config);
  return { scheme: playerScheme(config), host, port };
}
