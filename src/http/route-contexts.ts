import { isFieldName } from '../base/field-line.js';
import { Overlaid, plainPath } from '../base/places.js';
import { pacingOf } from '../delivery/pacing.js';
import type { AnswerRouteSettings, ErrorPage } from './answer-route.js';
import { Cors } from './cors.js';
import type { Field } from './field-block.js';
import type { FrontRequest } from './front-end.js';
import type { HttpContext, RouteLookup } from './http-context.js';
import { Representations } from './representation.js';
import { countsAt } from './route-counts.js';
import { parseHost } from './target.js';

/** Contexts of places that routes make different from all others. */
export class RouteContexts implements RouteLookup {
  readonly #routes: Overlaid<AnswerRouteSettings, HttpContext>;

  /** @param context of places where no route fits */
  constructor(context: HttpContext, routes: readonly AnswerRouteSettings[]) {
    this.#routes = new Overlaid(routes, fitting => contextOf(context, fitting));
  }

  /** The context of a request; undefined where no route fits. */
  of(req: FrontRequest, host: string = hostOf(req)): HttpContext | undefined {
    return this.#routes.at(host, plainPath(req.getUrl()));
  }
}

/** The host of a request; '' for one that names none, which its answer will say. */
function hostOf(req: FrontRequest): string {
  try {
    return parseHost(req.getHeader('host'));
  } catch {
    return '';
  }
}

function contextOf(context: HttpContext, routes: readonly AnswerRouteSettings[]): HttpContext {
  const cors = routes.find(route => route.cors !== undefined)?.cors;
  const pacing = routes.find(route => route.pacing !== undefined)?.pacing;
  const own = cors === undefined ? context.cors : new Cors(cors);
  // What comes first counts.
  const set = new Map<string, Field>();
  for (const { fields } of [...routes].reverse())
    for (const field of Object.entries(fields?.set ?? {}))
      if (isFieldName(field[0])) set.set(field[0].toLowerCase(), field);
  const removed = new Set(routes.flatMap(({ fields }) => fields?.remove ?? []).map(name => name.toLowerCase()));
  const others = context.common.filter(
    field => !context.cors.common.includes(field) && !set.has(field[0].toLowerCase()),
  );
  const common = [...own.common, ...others, ...set.values()];
  const errors = Object.assign({}, ...routes.map(route => route.errors ?? {}).reverse());
  return {
    ...context,
    counts: countsAt(context.stats.routes, routes[0]),
    cors: own,
    common,
    representations: new Representations(common, own.common.length > 0, new Set([...removed, ...set.keys()])),
    pacing: pacing === undefined ? context.pacing : pacingOf(pacing, context.pacer),
    redirect: routes.find(route => route.redirect !== undefined)?.redirect,
    errorPages: new Map(Object.entries(errors).map(([status, page]) => [Number(status), page as ErrorPage])),
  };
}
