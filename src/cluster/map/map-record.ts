import type { PlacedMap } from './plan.js';
import { textChecksum } from './text-checksum.js';

/** A node of a map. */
export interface MapNode {
  readonly id: string;
  readonly weight: number;
  /** Milliseconds since 1970 at which it came to own films; 0 for nodes of the first map, which need no ramp. */
  readonly joined: number;
}

/** The map of one zone. */
export interface ZoneMap {
  readonly zone: string;
  readonly nodes: readonly MapNode[];
  readonly lists: PlacedMap;
  /** Who owned each partition before its owner; undefined where nobody did. */
  readonly previous: readonly (string | undefined)[];
}

/** What etcd holds of the map. */
export interface MapRecord {
  /** Of the cluster, for good. */
  readonly partitions: number;
  /** Of each partition beside its owner. */
  readonly replicas: number;
  readonly zones: readonly ZoneMap[];
}

/** First word of the text, with the number of its format. */
const MARK = 'moovedge-map/1';
/** Stands for nobody in the lists, whose indexes have a byte. */
const NOBODY = 255;
/** Most nodes of a zone, so that an index has a byte, those that are gone and were owners before included. */
const NODES_MAX = NOBODY;
const PARTITIONS_MAX = 65_536;

interface ZoneText {
  readonly zone: string;
  readonly nodes: readonly MapNode[];
  /** Ids of nodes that are gone and were owners before; their indexes follow those of the nodes. */
  readonly gone: readonly string[];
  /** Base64 of indexes: a row of owner and replicas for each partition. */
  readonly lists: string;
  readonly previous: string;
}

/** The record as a text of some KB with a checksum. */
export function encodeMap({ partitions, replicas, zones }: MapRecord): string {
  const body = JSON.stringify({ partitions, replicas, zones: zones.map(zone => encodeZone(zone, replicas)) });
  return `${MARK} ${textChecksum(body)}\n${body}`;
}

function encodeZone({ zone, nodes, lists, previous }: ZoneMap, replicas: number): ZoneText {
  const ids = nodes.map(({ id }) => id);
  const gone = [...new Set(previous)].filter(id => id !== undefined && !ids.includes(id)) as string[];
  const indexes = new Map([...ids, ...gone].map((id, index) => [id, index]));
  // Those who are gone are let go of where they are too many to have an index.
  const indexOf = (id: string | undefined) => Math.min(indexes.get(id ?? '') ?? NOBODY, NOBODY);
  const rows = lists.flatMap(list => Array.from({ length: replicas + 1 }, (_, level) => indexOf(list[level])));
  return {
    zone,
    nodes,
    gone: gone.slice(0, NODES_MAX - nodes.length),
    lists: Buffer.from(rows).toString('base64'),
    previous: Buffer.from(previous.map(indexOf)).toString('base64'),
  };
}

/**
 * Reads a record.
 * @throws Error that says what is wrong with the text
 */
export function decodeMap(text: string): MapRecord {
  const end = text.indexOf('\n');
  const [mark, sum] = text.slice(0, Math.max(0, end)).split(' ');
  const body = text.slice(end + 1);
  if (mark !== MARK) throw new Error(`expected ${MARK}, found ${JSON.stringify(text.slice(0, 20))}`);
  if (sum !== textChecksum(body)) throw new Error('expected another checksum');
  const { partitions, replicas, zones } = JSON.parse(body) as MapRecord & { zones: readonly ZoneText[] };
  expectWhole(partitions, 1, PARTITIONS_MAX, 'partitions');
  expectWhole(replicas, 0, NODES_MAX, 'replicas');
  if (!Array.isArray(zones)) throw new Error('expected zones');
  return { partitions, replicas, zones: zones.map((zone: ZoneText) => decodeZone(zone, partitions, replicas)) };
}

function decodeZone({ zone, nodes, gone, lists, previous }: ZoneText, partitions: number, replicas: number): ZoneMap {
  if (typeof zone !== 'string' || !Array.isArray(nodes) || !Array.isArray(gone)) throw new Error('expected a zone');
  for (const { id, weight, joined } of nodes as readonly MapNode[]) {
    if (typeof id !== 'string' || !(weight > 0) || !(joined >= 0)) throw new Error(`expected a node of zone ${zone}`);
  }
  const ids = [...nodes.map(({ id }: MapNode) => id), ...(gone as string[])];
  const rows = Buffer.from(lists, 'base64');
  const owners = Buffer.from(previous, 'base64');
  const depth = replicas + 1;
  if (rows.length !== partitions * depth || owners.length !== partitions) {
    throw new Error(`expected ${partitions} partitions of zone ${zone}`);
  }
  return {
    zone,
    nodes,
    lists: Array.from({ length: partitions }, (_, partition) => {
      const row = [...rows.subarray(partition * depth, (partition + 1) * depth)].filter(index => index !== NOBODY);
      if (row.length === 0 || row.some(index => index >= nodes.length)) {
        throw new Error(`expected nodes for partition ${partition} of zone ${zone}`);
      }
      return row.map(index => ids[index]!);
    }),
    previous: Array.from(owners, index => ids[index]),
  };
}

function expectWhole(value: unknown, min: number, max: number, what: string): void {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max)
    throw new Error(`expected ${what}`);
}
