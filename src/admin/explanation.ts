/** Why a URL is answered as it is. */
export interface Explanation {
  /** Routes that fit, in their order, as `NUMBER: HOST/PATH`. */
  readonly routes: readonly string[];
  /** Rule of access that decides; undefined where the URL is open to all. */
  readonly access: string | undefined;
  /** What the answer is made of, as far as the URL tells. */
  readonly objects: readonly ExplainedObject[];
}

/** Why an object is where it is. */
export interface ExplainedObject {
  readonly path: string;
  /** Name of the origin; left out where there is none for it. */
  readonly origin?: string;
  /** Path and query that the origin is asked for. */
  readonly asked?: string;
  /** Cache key. */
  readonly key?: string;
  /** `by fields`: its answers differ by fields of requests; `never`: they are not to be stored. */
  readonly stored?: 'yes' | 'no' | 'by fields' | 'refusal' | 'never';
  /** Status of a refusal that is remembered. */
  readonly status?: number;
  /** Names of the fields that its answers differ by. */
  readonly vary?: readonly string[];
  readonly freshness?: 'fresh' | 'stale';
  /** Seconds since the origin vouched for it, and for how long it is fresh. */
  readonly age?: number;
  readonly lifetime?: number;
  /** Id of the stored version, by which `inspect-cache --object` tells of its blocks. */
  readonly id?: string;
  /** Bytes. */
  readonly size?: number;
  /** Blocks of 256 KiB by the tier that they would come from. */
  readonly blocks?: {
    readonly memory: number;
    readonly disk: number;
    readonly origin: number;
    /** The same in the order of the film: tiers, and how many blocks in a row would come from each. */
    readonly runs: readonly (readonly [tier: 'memory' | 'disk' | 'origin', count: number])[];
  };
}
