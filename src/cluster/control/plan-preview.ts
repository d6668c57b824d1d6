import type { MapRecord } from '../map/map-record.js';

/** What a plan would change. */
export interface PlanPreview {
  /** Whether there is anything to change. */
  readonly changes: boolean;
  /** Partitions that would get another owner, and how many each node would own, by zone. */
  readonly zones: readonly {
    readonly zone: string;
    readonly moved: number;
    readonly nodes: Readonly<Record<string, { readonly now: number; readonly planned: number }>>;
  }[];
}

/** What changes from one map to the next. */
export function previewOf(before: MapRecord | undefined, after: MapRecord | undefined): PlanPreview {
  const zones = (after ?? before)?.zones ?? [];
  return {
    changes: after !== undefined,
    zones: zones.map(({ zone, nodes, lists }) => {
      const old = before?.zones.find(each => each.zone === zone);
      const ids = [...new Set([...nodes, ...(old?.nodes ?? [])].map(({ id }) => id))].sort();
      const owned = (map: typeof old, id: string) => map?.lists.filter(([owner]) => owner === id).length ?? 0;
      return {
        zone,
        moved: lists.filter(([owner], partition) => old?.lists[partition]?.[0] !== owner).length,
        nodes: Object.fromEntries(
          ids.map(id => [id, { now: owned(old, id), planned: lists.filter(([o]) => o === id).length }]),
        ),
      };
    }),
  };
}
