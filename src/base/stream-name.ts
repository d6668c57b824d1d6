const NAME = /^(?=.{3,200}$)[\w~-][\w.~-]*(?:\/[\w~-][\w.~-]*){1,7}$/;

/** Whether a live stream may have a name: an application, a slash, and a name; either may have further parts. */
export function isStreamName(name: string): boolean {
  return NAME.test(name);
}
