import { EdgeError } from '../../../src/base/errors.js';
import type { ServicesFactory } from '../../../src/supervisor/services.js';

/** Services that do nothing but say what they were told. */
export const fakeServices: ServicesFactory = async ({ log, takeOver }) => {
  let active = false;
  return {
    async activate() {
      active = true;
      log.info({ takeOver }, 'services active');
    },
    accepts() {},
    workerGone(how) {
      log.debug({ how }, 'services told of a death');
    },
    damagedBlock() {},
    async reconfigure({ workers }) {
      log.info({ workers }, 'services reconfigured');
    },
    async purge({ scope }) {
      if (scope.kind === 'prefix') throw new EdgeError('overloaded', 'no purge by prefix here');
      return scope.kind === 'urls' ? { objects: scope.urls.length } : {};
    },
    inherited: () => [],
    stats: () => ({ active }),
    async close() {
      log.debug({}, 'services closed');
    },
  };
};
