import { readFileSync } from 'node:fs';
import { mediaType } from '../catalog/media-type.js';
import type { Config } from '../config/schema.js';
import type { PacingSettings } from '../delivery/pacing.js';
import type { AnswerRouteSettings, ErrorPage } from '../http/answer-route.js';

/**
 * What the routes of a configuration say of answers, with the pages that they name.
 * @param workers that share what is bounded for the whole edge
 */
export function answerRoutes({ routes }: Config, workers: number): AnswerRouteSettings[] {
  return routes.map(({ errors, pacing, ...route }) => ({
    ...route,
    pacing: pacing && pacingShare(pacing, workers),
    errors: Object.fromEntries(Object.entries(errors).map(([status, file]) => [status, pageOf(file)])),
  }));
}

/** A worker's share of a pace: the system spreads players evenly over workers. */
export function pacingShare(pacing: Config['pacing'], workers: number): PacingSettings {
  const { total } = pacing;
  return { ...pacing, total: total === undefined ? undefined : total / workers };
}

function pageOf(file: string): ErrorPage {
  return { type: mediaType(undefined, file), bytes: readFileSync(file) };
}
