/**
 * The least that a proxy of uWebSockets.js and undici can be: it asks the origin for the range that it is asked for,
 * and passes on three fields and the bytes as they come. It keeps nothing, so how soon its first byte comes is what a
 * miss takes on this stack without a cache.
 *
 *   node --import tsx bench/support/bare-proxy.ts ORIGIN PORT
 */
import { Client } from 'undici';
import { App, localPort } from '../../src/http/uws.js';

const PASSED = ['Content-Type', 'ETag', 'Content-Range'];

const [origin, port] = process.argv.slice(2);
if (origin === undefined || port === undefined) throw new Error('usage: bare-proxy.ts ORIGIN PORT');
/** Clients without a request; each has one connection. */
const idle: Client[] = [];

const app = App();
app.head('/*', res => {
  res.endWithoutBody();
});
app.any('/*', (res, req) => {
  const path = req.getUrl();
  const range = req.getHeader('range');
  const client = idle.pop() ?? new Client(origin);
  let body = Buffer.alloc(0);
  let come = 0;
  let gone = false;
  const send = () => res.tryEnd(body.subarray(res.getWriteOffset(), come), body.length)[0];
  res.onAborted(() => {
    gone = true;
  });
  res.onWritable(send);
  const handler = {
    onConnect() {},
    onHeaders(status: number, fields: Buffer[]) {
      const values = new Map<string, string>();
      for (let at = 0; at < fields.length; at += 2)
        values.set(String(fields[at]).toLowerCase(), String(fields[at + 1]));
      body = Buffer.allocUnsafe(Number(values.get('content-length')));
      if (gone) return true;
      res.cork(() => {
        res.writeStatus(status === 206 ? '206 Partial Content' : '200 OK');
        for (const name of PASSED) {
          const value = values.get(name.toLowerCase());
          if (value !== undefined) res.writeHeader(name, value);
        }
      });
      return true;
    },
    onData(chunk: Buffer) {
      come += chunk.copy(body, come);
      if (!gone) res.cork(() => void send());
      return true;
    },
    onComplete() {
      idle.push(client);
    },
    onError() {
      if (!gone) res.close();
    },
  };
  client.dispatch({ path, method: 'GET', headers: range === '' ? {} : { range } }, handler);
});
app.listen('127.0.0.1', Number(port), listener => {
  if (!listener) throw new Error(`port ${port} is taken`);
  console.log(`listening on ${localPort(listener as never)}`);
});
process.once('SIGTERM', () => process.exit());
