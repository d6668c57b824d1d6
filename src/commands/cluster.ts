import type { AdminClient } from './admin-client.js';

interface Status {
  readonly self: string;
  readonly epoch: number;
  readonly member: boolean;
  readonly leader?: string;
  readonly frozen: readonly string[];
  readonly rival?: { readonly host: string; readonly port: number };
  readonly etcd: { readonly endpoint: string; readonly reachable: boolean };
  readonly partitions: number;
  readonly nodes: readonly {
    readonly id: string;
    readonly zone: string;
    readonly weight: number;
    readonly host: string;
    readonly port: number;
    readonly state: string;
    readonly share: number;
    readonly owns: number;
    readonly replicates: number;
  }[];
}

interface Preview {
  readonly changes: boolean;
  readonly zones: readonly {
    readonly zone: string;
    readonly moved: number;
    readonly nodes: Readonly<Record<string, { readonly now: number; readonly planned: number }>>;
  }[];
}

type Write = (text: string) => void;

/** Prints how the cluster stands. @throws EdgeError */
export async function clusterStatus(client: AdminClient, write: Write): Promise<void> {
  write(statusText((await client.json('GET', '/cluster')) as Status));
}

/** Takes the films from a node, or lets it have some again, and prints how the cluster stands. @throws EdgeError */
export async function changeDrain(client: AdminClient, kind: 'drain' | 'undrain', node: string, write: Write) {
  write(statusText((await client.json('POST', `/cluster/${kind}`, { node })) as Status));
}

/** Prints what a new map would change, or has it made. @throws EdgeError */
export async function clusterPlan(client: AdminClient, apply: boolean, write: Write): Promise<void> {
  const preview = (await (apply
    ? client.json('POST', '/cluster/plan', {})
    : client.json('GET', '/cluster/plan'))) as Preview;
  write(planText(preview, apply));
}

/** Prints who serves a path. @throws EdgeError */
export async function clusterWhere(client: AdminClient, path: string, write: Write): Promise<void> {
  const found = (await client.json('GET', `/locate?path=${encodeURIComponent(path)}`)) as {
    readonly partition: number;
    readonly owner: string;
    readonly replicas: readonly string[];
    readonly url: string | null;
  };
  write(`owner      ${found.owner}\nreplicas   ${found.replicas.join(', ') || '-'}\npartition  ${found.partition}\n`);
  if (found.url !== null) write(`url        ${found.url}\n`);
}

function statusText({ self, epoch, member, leader, frozen, rival, etcd, partitions, nodes }: Status): string {
  const rows = nodes.map(node => [
    node.id === self ? `${node.id} *` : node.id,
    node.zone,
    node.share < 1 ? `${node.state} ${Math.round(node.share * 100)}%` : node.state,
    String(node.weight),
    String(node.owns),
    String(node.replicates),
    node.port === 0 ? '-' : `${node.host}:${node.port}`,
  ]);
  const notes = [
    member ? undefined : `${self} is no member at the moment`,
    rival && `another node with the id ${self} is at ${rival.host}:${rival.port}`,
    ...frozen.map(zone => `zone ${zone}: more than a third of the nodes are away, so the map stays`),
  ].filter(note => note !== undefined);
  const head = `map ${epoch === 0 ? 'none: this edge serves alone' : epoch}, ${partitions} partitions, leader ${leader ?? '-'}, etcd ${etcd.endpoint} ${etcd.reachable ? '' : 'NOT '}reachable`;
  return `${head}\n${table([['node', 'zone', 'state', 'weight', 'owns', 'replica of', 'address'], ...rows])}${notes.map(note => `${note}\n`).join('')}`;
}

function planText({ changes, zones }: Preview, isApplied: boolean): string {
  if (!changes) return 'nothing to change\n';
  return zones
    .map(({ zone, moved, nodes }) => {
      const rows = Object.entries(nodes).map(([id, { now, planned }]) => [id, String(now), String(planned)]);
      return `zone ${zone}: ${moved} partitions ${isApplied ? 'got' : 'would get'} another owner\n${table([['node', 'owned', isApplied ? 'owns' : 'would own'], ...rows])}`;
    })
    .join('');
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)));
  return rows
    .map(
      row =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
