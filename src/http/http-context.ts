import type { AccessRules } from '../access/access-rules.js';
import type { Log } from '../base/log.js';
import type { StallSweep } from '../delivery/sweep.js';
import type { AccessEntry } from '../observe/access-log.js';
import type { LimitedLog } from '../observe/limited-log.js';
import type { ViewStage } from '../view/view.js';
import type { Views } from '../view/views.js';
import type { ClientAddresses } from './client-address.js';
import type { Cors } from './cors.js';
import type { Field } from './field-block.js';
import type { Guard } from './front-end.js';
import type { HttpStats } from './http-stats.js';
import type { LivePort } from './live-port.js';
import type { PeerPort } from './peer-port.js';
import type { RangeLimits } from './range.js';
import type { Representations } from './representation.js';
import type { RequestRouting } from './request-routing.js';
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
  readonly sweep: StallSweep;
  readonly stats: HttpStats;
  readonly gate: Guard;
  /** Who is behind a connection. */
  readonly clients: ClientAddresses;
  readonly log: Log;
  /** Takes a line for each answer that ends badly. */
  readonly badEnds: LimitedLog;
  readonly observeTtfb: ((seconds: number) => void) | undefined;
  readonly accessLog: ((entry: AccessEntry) => void) | undefined;
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
