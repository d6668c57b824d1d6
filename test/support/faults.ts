import { gzipSync } from 'node:zlib';
import { type At, type Plan, planAnswer, type SeenRequest } from './fault-plan.js';

/** Changes the plan of one answer. Any function will do; those of `faults` are the common ones. */
export type Fault = (plan: Plan, request: SeenRequest) => void;

function setBody(plan: Plan, body: Uint8Array): void {
  plan.offset = 0;
  plan.length = body.length;
  plan.read = (start, end) => body.subarray(start, end);
  plan.headers.set('Content-Length', String(body.length));
}

/**
 * Every fault that an origin is known to commit. (A refused connection is `origin.refuse()`, a TLS error is
 * `start({ tls })` without trusting its certificate.)
 */
export const faults = {
  /** RST at a position. */
  reset:
    (at: At): Fault =>
    plan =>
      void plan.interruptions.push({ at, action: 'reset' }),
  /** FIN at a position: with a Content-Length this is a short body. */
  cut:
    (at: At): Fault =>
    plan =>
      void plan.interruptions.push({ at, action: 'close' }),
  /** Nothing more from a position on, for `ms` or until `release()`. */
  stall:
    (at: At, ms?: number): Fault =>
    plan =>
      void plan.interruptions.push(ms === undefined ? { at, action: 'stall' } : { at, action: 'stall', ms }),
  /** Body in chunks of `bytes`, `ms` apart. */
  drip:
    (bytes: number, ms: number): Fault =>
    plan => {
      plan.drip = { bytes, ms };
    },
  /** Another status, with a small text body (empty when null) and further fields. */
  status:
    (status: number, headers: Record<string, string> = {}, body: string | null = 'fault'): Fault =>
    plan => {
      plan.status = status;
      plan.headers = new Map(Object.entries({ 'Content-Type': 'text/plain', ...headers }));
      setBody(plan, Buffer.from(body ?? ''));
      for (const [name, value] of Object.entries(headers)) plan.headers.set(name, value);
    },
  /** Sets (or, with null, leaves out) a field. */
  header:
    (name: string, value: string | null): Fault =>
    plan => {
      for (const key of [...plan.headers.keys()])
        if (key.toLowerCase() === name.toLowerCase()) plan.headers.delete(key);
      if (value !== null) plan.headers.set(name, value);
    },
  /** The body ends `bytes` before what Content-Length says, in order. */
  short:
    (bytes: number): Fault =>
    plan => {
      plan.length = Math.max(0, plan.length - bytes);
      plan.close = true;
    },
  /** The body goes on for `bytes` after what Content-Length says. */
  long:
    (bytes: number): Fault =>
    plan => {
      const { read, length, offset } = plan;
      plan.length += bytes;
      plan.close = true;
      plan.read = (start, end) => {
        const inside = read(start, Math.min(end, offset + length));
        return end <= offset + length
          ? inside
          : Buffer.concat([inside, Buffer.alloc(end - Math.max(start, offset + length), 0xee)]);
      };
    },
  /** A 206 whose Content-Range (and body) is moved by so many bytes. */
  shifted:
    (by: number): Fault =>
    plan => {
      const value = plan.headers.get('Content-Range');
      const match = value?.match(/^bytes (\d+)-(\d+)\/(.*)$/);
      if (!match) return;
      plan.headers.set('Content-Range', `bytes ${Number(match[1]) + by}-${Number(match[2]) + by}/${match[3]}`);
      plan.offset += by;
    },
  /** Answers 200 with the whole object to a request for a range. */
  ignoreRange: (): Fault => plan => {
    if (plan.status !== 206 || !plan.object) return;
    plan.status = 200;
    plan.headers.delete('Content-Range');
    plan.offset = 0;
    plan.length = plan.object.size;
    plan.headers.set('Content-Length', String(plan.length));
  },
  /** A server that knows no preconditions (If-Match and the like). */
  ignoreConditions: (): Fault => (plan, request) => {
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !name.startsWith('if-')));
    if (plan.status === 412 || plan.status === 304)
      Object.assign(plan, planAnswer(plan.object, { ...request, headers }));
  },
  /** No Content-Length: chunked coding, properly ended. */
  chunked: (): Fault => plan => {
    plan.chunked = 'whole';
    plan.headers.delete('Content-Length');
  },
  /** Chunked coding that ends without the last chunk after `bytes` fewer bytes. */
  unterminated:
    (bytes = 0): Fault =>
    plan => {
      plan.chunked = 'unterminated';
      plan.length -= bytes;
      plan.headers.delete('Content-Length');
    },
  /** No Content-Length: the body ends with the connection. */
  untilClose: (): Fault => plan => {
    plan.close = true;
    plan.headers.delete('Content-Length');
  },
  /** A gzip body, though identity was asked for. */
  gzip: (): Fault => plan => {
    setBody(plan, gzipSync(plan.read(plan.offset, plan.offset + plan.length)));
    plan.headers.set('Content-Encoding', 'gzip');
  },
  /** multipart/byteranges for a single range, with that part so many times. */
  multipart:
    (parts = 1): Fault =>
    plan => {
      const type = plan.headers.get('Content-Type') ?? 'application/octet-stream';
      const head = `--b\r\nContent-Type: ${type}\r\nContent-Range: ${plan.headers.get('Content-Range')}\r\n\r\n`;
      const part = Buffer.concat([
        Buffer.from(head),
        plan.read(plan.offset, plan.offset + plan.length),
        Buffer.from('\r\n'),
      ]);
      setBody(plan, Buffer.concat([...Array.from({ length: parts }, () => part), Buffer.from('--b--\r\n')]));
      plan.headers.delete('Content-Range');
      plan.headers.set('Content-Type', 'multipart/byteranges; boundary=b');
    },
  /** The validator is weak. */
  weakEtag: (): Fault => plan => {
    const etag = plan.headers.get('ETag');
    if (etag) plan.headers.set('ETag', `W/${etag}`);
  },
  /** Another validator in each answer. */
  etagPerRequest: (): Fault => {
    let count = 0;
    return plan => void plan.headers.set('ETag', `"changing-${count++}"`);
  },
  /** Redirect; to the same path for a loop. */
  redirect: (location: string, status = 302): Fault => faults.status(status, { Location: location }, ''),
  /** One field of so many bytes. */
  hugeHeader: (bytes: number): Fault => faults.header('X-Huge', 'h'.repeat(bytes)),
  /** So many small fields. */
  manyHeaders:
    (count: number): Fault =>
    plan => {
      for (let i = 0; i < count; i++) plan.headers.set(`X-Many-${i}`, 'm');
    },
  /** Bytes in place of the head. */
  rawHead:
    (head: string | Buffer): Fault =>
    plan => {
      plan.rawHead = head;
      plan.close = true;
    },
} as const;
