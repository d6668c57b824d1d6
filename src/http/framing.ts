import type { FrontRequest } from './front-end.js';

/**
 * Whether a list of tokens, such as a Connection field, holds `token`, which is in lower case (RFC 9110 section 5.6.1).
 */
export function hasToken(list: string, token: string): boolean {
  return list !== '' && list.split(',').some(element => element.trim().toLowerCase() === token);
}

/**
 * True for a request that no gate has looked at, and whose framing a server behind could read in another way (RFC 9112
 * section 6.3): Transfer-Encoding, of which the front end has a reading of its own, or a second Content-Length or Host.
 */
export function isAmbiguous(req: FrontRequest): boolean {
  let hosts = 0;
  let lengths = 0;
  let codings = 0;
  req.forEach(name => {
    if (name === 'host') hosts++;
    else if (name === 'content-length') lengths++;
    else if (name === 'transfer-encoding') codings++;
  });
  return hosts > 1 || lengths > 1 || codings > 0;
}

/** Whether a request that is not ambiguous has content. */
export function hasContent(req: FrontRequest): boolean {
  const length = req.getHeader('content-length');
  return length !== '' && Number(length) !== 0;
}
