import type { ClusterState } from '../../cluster/cluster-state.js';
import type { ClusterControl } from '../../cluster/control/cluster-control.js';
import type { Metrics } from '../../observe/metrics.js';

const STATES = ['up', 'away', 'draining'] as const;

/** What operators watch of a cluster, as this edge sees it. */
export function describeCluster(metrics: Metrics, control: ClusterControl): void {
  metrics.gauge('moovedge_cluster_nodes', () =>
    STATES.map(state => [{ state }, control.state.nodes.filter(node => node.state === state).length]),
  );
  metrics.gauge('moovedge_cluster_partitions', () => {
    const own = selfIndex(control.state);
    const count = (holds: (level: number) => boolean) =>
      control.state.map.filter(list => list.includes(own) && holds(list.indexOf(own))).length;
    return [
      [{ role: 'owner' }, count(level => level === 0)],
      [{ role: 'replica' }, count(level => level > 0)],
    ];
  });
  metrics.gauge('moovedge_cluster_map_epoch', () => control.state.epoch);
  metrics.gauge('moovedge_cluster_etcd_reachable', () => (control.etcd.reachable ? 1 : 0));
}

function selfIndex({ self, nodes }: ClusterState): number {
  return nodes.findIndex(({ id }) => id === self);
}
