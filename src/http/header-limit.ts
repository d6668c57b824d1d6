/**
 * uWebSockets.js reads its limit on a request's header block (4 KiB unless told, less than the cookies of a large site)
 * from the environment while it loads. This module must therefore be evaluated before it; `uws.ts` sees to that.
 */
export const MAX_HEADER_BYTES = 16 * 1024;

process.env.UWS_HTTP_MAX_HEADERS_SIZE = String(MAX_HEADER_BYTES);
