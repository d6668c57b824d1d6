/** An edge of a cluster. */
export interface ClusterMember {
  readonly id: string;
  /** Where other edges reach it. */
  readonly port: number;
  readonly endpoints: readonly string[];
  /** Further settings of `cluster.node`, `cluster.listen` and `cluster`, as YAML flow, each behind a comma. */
  readonly node?: string;
  readonly listen?: string;
  readonly more?: string;
}

/** Its settings, as YAML. */
export function clusterSettings({ id, port, endpoints, node = '', listen = '', more = '' }: ClusterMember): string {
  const etcd = `etcd: {endpoints: ${JSON.stringify(endpoints)}}`;
  const self = `node: {id: ${id}${node}}, listen: {host: 127.0.0.1, port: ${port}${listen}}`;
  return `cluster: {${etcd}, ${self}, secret: 'a secret of the cluster'${more}}\n`;
}
