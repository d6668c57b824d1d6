import type { MediaObject } from '../../src/media/seek/media.js';
import { Planner, type PlannerOptions } from '../../src/media/seek/planner.js';
import { type Faststart, SeekViews } from '../../src/view/seek/seek-views.js';
import type { VirtualFile } from '../../src/virtual-file/virtual-file.js';
import { DEFAULTS } from './defaults.js';

/** What tests don't say is as the edge has it. */
export type QueryPlannerOptions = Pick<PlannerOptions, 'formats'> &
  Partial<PlannerOptions> & { readonly faststart?: Faststart };

/** A planner behind the view that a query of players names. */
export class QueryPlanner extends Planner {
  readonly #views: SeekViews;

  constructor({ faststart = 'off', ...options }: QueryPlannerOptions) {
    super({ ...DEFAULTS.planner, ...options });
    this.#views = new SeekViews(faststart);
  }

  /** The file that answers the raw values of `start` and `end`; undefined when the plain file does. */
  plan(
    object: MediaObject,
    { start, end }: { readonly start: string | undefined; readonly end: string | undefined },
  ): VirtualFile | undefined | Promise<VirtualFile | undefined> {
    const parameters = new Map<string, string>();
    if (start !== undefined) parameters.set('start', start);
    if (end !== undefined) parameters.set('end', end);
    return this.#views.find({ path: '/film', parameters })?.plan(object, this);
  }
}
