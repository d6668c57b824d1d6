/** Somebody for whom an origin may be asked. */
export interface Asker {
  /** Address of a client, as text; '' for the edge itself. */
  readonly client: string;
}

/** For what the edge does on its own account. */
export const EDGE_ITSELF: Asker = { client: '' };
