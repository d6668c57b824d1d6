import type { LogOptions } from '../observe/log.js';

/**
 * What supervisor and worker link read of a configuration. The rest passes through them to those who know what the
 * processes are for.
 */
export interface SupervisedConfig {
  /** Number of worker processes; `auto` is one for each processor. */
  readonly workers: number | 'auto';
  /** Where players connect: at ports, or at Unix sockets. */
  readonly listen: readonly { readonly host: string; readonly port: number; readonly unix?: string | undefined }[];
  /**
   * Milliseconds in which answers may be finished, when the edge stops and when a generation of workers is replaced.
   */
  readonly shutdown: { readonly grace: number; readonly reloadGrace: number };
  readonly log: Pick<LogOptions, 'level' | 'format'>;
}
