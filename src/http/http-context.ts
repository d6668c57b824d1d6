import type { AccessRules } from '../access/access-rules.js';
import type { Log } from '../base/log.js';
import type { Pacer } from '../delivery/pacer.js';
import type { Pacing } from '../delivery/pacing.js';
import type { StallSweep } from '../delivery/sweep.js';
import type { AccessEntry } from '../observe/access-entry.js';
import type { HotList } from '../observe/hot-list.js';
import type { LimitedLog } from '../observe/limited-log.js';
import type { Tracing } from '../observe/request-span.js';
import type { ViewStage } from '../view/view.js';
import type { Views } from '../view/views.js';
import type { ErrorPage, RedirectSettings } from './answer-route.js';
import type { ClientAddresses } from './client-address.js';
import type { ClientRequests } from './client-requests.js';
import type { Cors } from './cors.js';
import type { Field } from './field-block.js';
import type { FrontRequest, Guard } from './front-end.js';
import type { HttpStats } from './http-stats.js';
import type { LivePort } from './live-port.js';
import type { OwnRequests } from './own-requests.js';
import type { PeerPort } from './peer-port.js';
import type { RangeLimits } from './range.js';
import type { ReadyAnswers } from './ready-answers.js';
import type { Representations } from './representation.js';
import type { RequestRates } from './request-rates.js';
import type { RequestRouting } from './request-routing.js';
import type { RouteCounts } from './route-counts.js';
import type { OwnNames } from './target.js';

/** What all exchanges of a server share. */
export interface HttpContext extends ViewStage {
  readonly views: Views;
  readonly cors: Cors;
  readonly representations: Representations;
  /** Fields of every answer. */
  readonly common: readonly Field[];
  readonly range: RangeLimits;
  /** Most characters of path and query. */
  readonly maxUrlLength: number;
  readonly ownNames: OwnNames;
  /** Who is let in where; undefined where everything is open to all. */
  readonly access: AccessRules | undefined;
  /** Places that differ from all others; undefined where none does. */
  readonly routes: RouteLookup | undefined;
  /** Where players are sent in place of an answer. */
  readonly redirect: RedirectSettings | undefined;
  /** What stands in place of the line of text of an error, by status. */
  readonly errorPages: ReadonlyMap<number, ErrorPage>;
  /** How often clients may ask; undefined where nothing bounds that. */
  readonly rates: RequestRates | undefined;
  /** How fast players are sent what they ask for; undefined for as fast as they take it. */
  readonly pacing: Pacing | undefined;
  readonly pacer: Pacer;
  readonly sweep: StallSweep;
  readonly stats: HttpStats;
  /** Those of the first route that fits. */
  readonly counts: RouteCounts;
  /** Knows what is asked for most; undefined where nobody wants to know. */
  readonly hottest: HotList | undefined;
  /** Follows requests; undefined where no traces are collected. */
  readonly tracing: Tracing | undefined;
  readonly gate: Guard;
  /** Who is behind a connection. */
  readonly clients: ClientAddresses;
  /** Bounds requests by client; undefined where there is no bound. */
  readonly underWay: ClientRequests | undefined;
  /** Knows the edge's own requests; undefined where it makes none. */
  readonly own: OwnRequests | undefined;
  /** Name of this edge in CDN-Loop (RFC 8586); undefined where nobody looks for loops here. */
  readonly name: string | undefined;
  readonly log: Log;
  /** Takes a line for each answer that ends badly. */
  readonly badEnds: LimitedLog;
  readonly observeTtfb: ((seconds: number, count?: number) => void) | undefined;
  readonly accessLog: ((entry: AccessEntry) => void) | undefined;
  /** Answers that the gate gives by itself; undefined where it gives none. */
  readonly ready: ReadyAnswers | undefined;
  /** Knows which edge answers; undefined where this one answers everything. */
  readonly routing: RequestRouting | undefined;
  /** Knows peers, on their port; undefined on that of players. */
  readonly peers: PeerPort | undefined;
  /** Live streams; undefined where there are none. */
  readonly live: LivePort | undefined;
  readonly course: Course;
}

/** Where a server is between its start and its end; the same for all of its ports. */
export interface Course {
  /** Answers say that their connection will not be used again. */
  draining: boolean;
  /** Called when an answer or a connection has ended while the server drains. */
  quiet: () => void;
}

/** Finds what is different in the place of a request. */
export interface RouteLookup {
  /**
   * The context of a request; undefined where no route fits.
   * @param host of the request, where its field does not say it
   */
  of(req: FrontRequest, host?: string): HttpContext | undefined;
}
