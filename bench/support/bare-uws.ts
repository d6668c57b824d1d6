/**
 * The least that a uWebSockets.js server of ranges can be: one file in a buffer, a Range field, four answer fields, and
 * the send. What a request costs beyond it is what the edge's own work costs.
 *
 *   node --import tsx bench/support/bare-uws.ts FILE PORT
 */
import { readFileSync } from 'node:fs';
import { App, localPort } from '../../src/http/uws.js';

const [path, port] = process.argv.slice(2);
if (path === undefined || port === undefined) throw new Error('usage: bare-uws.ts FILE PORT');
const file = readFileSync(path);
const RANGE = /^bytes=(\d+)-(\d*)$/;

const app = App();
app.head('/*', res => {
  res.writeHeader('Content-Length', String(file.length));
  res.endWithoutBody();
});
app.any('/*', (res, req) => {
  const range = RANGE.exec(req.getHeader('range'));
  const start = range === null ? 0 : Number(range[1]);
  const end = range?.[2] ? Number(range[2]) + 1 : file.length;
  res.writeStatus(range === null ? '200 OK' : '206 Partial Content');
  res.writeHeader('Content-Type', 'video/mp4');
  res.writeHeader('ETag', '"bare"');
  res.writeHeader('Accept-Ranges', 'bytes');
  if (range !== null) res.writeHeader('Content-Range', `bytes ${start}-${end - 1}/${file.length}`);
  if (res.tryEnd(file.subarray(start, end), end - start)[1]) return;
  res.onAborted(() => {});
  res.onWritable(() => res.tryEnd(file.subarray(start + res.getWriteOffset(), end), end - start)[0]);
});
app.listen('127.0.0.1', Number(port), listener => {
  if (!listener) throw new Error(`port ${port} is taken`);
  console.log(`listening on ${localPort(listener as never)}`);
});
process.once('SIGTERM', () => app.close());
