import { isStreamName } from '../../base/stream-name.js';

/** What a publisher asks for. */
export interface StreamRequest {
  /** `APP/NAME`: what the stream is called for everybody. */
  readonly stream: string;
  readonly app: string;
  readonly name: string;
  /** Parameters behind the name, or else behind the application. */
  readonly query: URLSearchParams;
}

/**
 * Reads what a publisher calls its stream: parameters may stand behind the name or the application, and some encoders
 * put a slash at either end.
 * @param app of `connect`
 * @param name of `publish`
 * @returns undefined when it is no name that a stream may have
 */
export function readStreamName(app: string, name: string): StreamRequest | undefined {
  const [appPath, appQuery] = split(app);
  const [namePath, nameQuery] = split(name);
  const stream = `${appPath}/${namePath}`;
  if (appPath === '' || namePath === '' || !isStreamName(stream)) return undefined;
  return { stream, app: appPath, name: namePath, query: new URLSearchParams(nameQuery || appQuery) };
}

function split(text: string): [path: string, query: string] {
  const at = text.indexOf('?');
  const path = at < 0 ? text : text.slice(0, at);
  return [path.replace(/^\/+|\/+$/g, ''), at < 0 ? '' : text.slice(at + 1)];
}
