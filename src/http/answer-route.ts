import type { Place } from '../base/places.js';
import type { PacingSettings } from '../delivery/pacing.js';
import type { CorsOptions } from './cors.js';

/** What a route says of answers. */
export interface AnswerRouteSettings extends Place {
  readonly fields?: FieldChanges | undefined;
  readonly cors?: CorsOptions | undefined;
  readonly redirect?: RedirectSettings | undefined;
  readonly pacing?: PacingSettings | undefined;
  /** Pages by status. */
  readonly errors?: Readonly<Record<string, ErrorPage>> | undefined;
}

/** What becomes of the fields of answers. */
export interface FieldChanges {
  /** Fields that they have, in place of the object's. */
  readonly set: Readonly<Record<string, string>>;
  /** Names of fields of the object that they do not have. */
  readonly remove: readonly string[];
}

/** Where players are sent in place of an answer. */
export interface RedirectSettings {
  /** With {host}, {path} and {query}. */
  readonly to: string;
  readonly status: number;
}

/** What stands in place of the line of text of an error. */
export interface ErrorPage {
  readonly type: string;
  readonly bytes: Uint8Array;
}
