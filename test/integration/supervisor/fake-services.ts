import type { Role } from '../../../src/app/roles.js';
import { EdgeError } from '../../../src/base/errors.js';
import { describeExit } from '../../../src/base/exit-status.js';
import type { ClusterState } from '../../../src/cluster/cluster-state.js';
import { History } from '../../../src/observe/history.js';

/** Services that do nothing but say what they were told. */
export const fakeServices: Role['services'] = async ({ log, takeOver, events, tell }) => {
  let active = false;
  events.on('workerGone', exit => log.debug({ how: describeExit(exit) }, 'services told of a death'));
  return {
    cluster: undefined,
    history: new History(),
    all: [
      {
        name: 'fake',
        async start() {
          active = true;
          tell('clusterState', stateOf(1));
          log.info({ takeOver }, 'services active');
        },
        async reconfigure({ workers }) {
          tell('clusterState', stateOf(2));
          log.info({ workers }, 'services reconfigured');
        },
        stats: () => ({ active }),
        async stop() {
          log.debug({}, 'services closed');
        },
      },
    ],
    list: async () => ({ objects: [], more: false }),
    snapshot: async () => ({ file: '/none', bytes: 0, seconds: 0 }),
    explain: () => ({ routes: [], access: undefined, objects: [] }),
    async purge({ scope }) {
      if (scope.kind === 'prefix') throw new EdgeError('overloaded', 'no purge by prefix here');
      return { objects: scope.kind === 'urls' ? scope.urls.length : 0, more: false };
    },
  };
};

function stateOf(epoch: number): ClusterState {
  return { epoch, self: 'a', nodes: [], map: [], previousOwners: [], otherZones: [] };
}
