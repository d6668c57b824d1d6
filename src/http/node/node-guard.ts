import type { Guard } from '../front-end.js';

/** For connections of Node, which the front end itself looks after. */
export class NodeGuard implements Guard {
  readonly socket = 0;
  readonly isSecure = false;
  readonly isLast = false;
  isOld = false;

  answered(): void {}

  refuses(_socket: number, isUnderstood: boolean): boolean {
    return !isUnderstood;
  }
}
