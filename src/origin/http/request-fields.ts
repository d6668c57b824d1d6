import { conditionFields, type Fields, forwarded } from '../fields.js';
import type { Dialect, Location } from './dialect.js';
import type { OriginTarget } from './redirects.js';
import type { Wanted } from './response-head.js';

/** What a cache says that obeys Surrogate-Control, where somebody may listen: stores sign what they are sent. */
const CAPABILITY: Fields = { 'surrogate-capability': 'moovedge="Surrogate/1.0"' };
/** Fields of the player that are meant for the origin's own hosts only. */
const SECRETS = ['authorization', 'cookie'];

/** What the fields of a request are made of. */
export interface RequestParts {
  readonly dialect: Dialect;
  readonly location: Location;
  readonly target: OriginTarget;
  readonly wanted: Wanted;
  /** Fields that the configuration adds to requests to the origin's own hosts; names in lower case. */
  readonly added: Fields;
  /** Name of this edge in CDN-Loop (RFC 8586); undefined when it has none. */
  readonly node: string | undefined;
}

/** The precondition of a request, as fields; none when it is not sent. */
export function preconditionOf({ unsent, condition }: Wanted): Record<string, string> {
  return unsent ? {} : conditionFields(condition);
}

/** The fields of a request, before it is signed. */
export function requestFields({
  dialect,
  location,
  target,
  wanted,
  added,
  node,
}: RequestParts): Record<string, string> {
  const { range } = wanted;
  // It says that it is a gateway (RFC 9110 section 7.6.3).
  const fields: Record<string, string> = { 'user-agent': 'moovedge', via: '1.1 moovedge' };
  Object.assign(fields, forwarded(location.fields));
  if (dialect.sign === undefined) Object.assign(fields, CAPABILITY);
  if (target.own) Object.assign(fields, target.authorization, added);
  else for (const secret of SECRETS) delete fields[secret];
  const way = location.fields['cdn-loop'];
  if (node !== undefined) fields['cdn-loop'] = way === undefined ? node : `${way}, ${node}`;
  fields['accept-encoding'] = 'identity';
  if (range) fields.range = `bytes=${range.start}-${range.end === Number.POSITIVE_INFINITY ? '' : range.end - 1}`;
  return Object.assign(fields, preconditionOf(wanted));
}
