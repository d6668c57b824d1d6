import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { HttpOriginOptions } from '../../../../src/origin/http/http-origin.js';
import type { OriginRequest, Validator } from '../../../../src/origin/origin.js';
import { selfSigned } from '../../../support/certificate.js';
import { type Fault, FaultOrigin, faults } from '../../../support/fault-origin.js';
import { httpOrigin, PATIENT } from '../../../support/http-origin.js';
import { fetchInto } from '../../../support/recording-sink.js';

/**
 * Every fault that an origin is known to commit, in each phase of an object's life, with one server and with a replica.
 * What the sink gets is stated for each cell as `outcome status bytes`: `ended` or the error's code, the status of the
 * answer or '-', and the number of bytes, each of which is compared with the content of the version asked for.
 */
const SIZE = 1_000_000;
const RANGE = { start: 100_000, end: 600_000 };
const MIDDLE = 200_000;

/** What comes out: with one server that has the fault always, or once, and with a sound replica behind it. */
interface Cells {
  readonly always: string;
  readonly once: string;
  readonly replica: string;
}

interface Row {
  readonly fault: Fault | Fault[];
  /**
   * First block, without a condition; and a block in the middle, on condition of the validator, unless `middle` says
   * otherwise.
   */
  readonly first: Cells;
  readonly middle?: Cells;
  /** A conditional request for an object that has not changed. */
  readonly revalidation: Cells;
  /** Other options than the harness's: short timeouts where the fault is silence. */
  readonly options?: Partial<HttpOriginOptions>;
}

const SILENCE = { options: { timeouts: { ...PATIENT, firstByte: 1000, stall: 1000 } } };

const cells = (always: string, once = always, replica = once): Cells => ({ always, once, replica });

const WHOLE = 'ended 206 500000';
const ALL = 'ended 200 1000000';
const CONFIRMED = 'ended 304 0';
/** A fault of the head that another server need not have. */
const elsewhere = (code: string): Pick<Row, 'first' | 'revalidation'> => ({
  first: cells(`${code} - 0`, `${code} - 0`, WHOLE),
  revalidation: cells(`${code} - 0`, `${code} - 0`, CONFIRMED),
});
/** A fault that passes, before anything has come. */
const passing = (code: string): Pick<Row, 'first' | 'revalidation'> => ({
  first: cells(`${code} - 0`, WHOLE),
  revalidation: cells(`${code} - 0`, CONFIRMED),
});
/** An answer that is the same everywhere. */
const final = (code: string): Pick<Row, 'first' | 'revalidation'> => ({
  first: cells(`${code} - 0`),
  revalidation: cells(`${code} - 0`),
});
/** Of a version that is being watched, one server says that it does not have it; another may. */
const lacking = (code: string) => cells(`${code} - 0`, `${code} - 0`, WHOLE);
/** A fault of the body, which a 304 does not have. */
const body = (first: Cells): Pick<Row, 'first' | 'revalidation'> => ({ first, revalidation: cells(CONFIRMED) });

/** A 206 that is called 200. */
const as200: Fault = plan => {
  if (plan.status === 206) plan.status = 200;
};
/** At most so many bytes of a range, and a head that says so. */
const capped =
  (bytes: number): Fault =>
  plan => {
    if (plan.status !== 206 || plan.length <= bytes) return;
    plan.length = bytes;
    plan.headers.set('Content-Length', String(bytes));
    plan.headers.set('Content-Range', `bytes ${plan.offset}-${plan.offset + bytes - 1}/${SIZE}`);
  };
/** 412 for whatever If-Match or If-Unmodified-Since says. */
const refuseOwn: Fault = (plan, request) => {
  const { headers } = request;
  if (headers['if-match'] !== undefined || headers['if-unmodified-since'] !== undefined)
    faults.status(412)(plan, request);
};

/** 416 for whatever range of the object. */
const refuseRanges: Fault = (plan, request) => {
  if (request.headers.range !== undefined && plan.status === 206)
    faults.status(416, { 'Content-Range': `bytes */${SIZE}` })(plan, request);
};

const raw = (head: string): Fault => faults.rawHead(`${head}\r\n\r\n`);
const partial = `HTTP/1.1 206 Partial Content\r\nContent-Range: bytes ${RANGE.start}-${RANGE.end - 1}/${SIZE}`;

const ROWS: Record<string, Row> = {
  'reset before the head': { fault: faults.reset('head'), ...passing('origin_unavailable') },
  'closed before the head': { fault: faults.cut('head'), ...passing('origin_unavailable') },
  'reset within the head': { fault: faults.reset('within-head'), ...passing('origin_unavailable') },
  'closed within the head': { fault: faults.cut('within-head'), ...passing('origin_unavailable') },
  'reset before the body': { fault: faults.reset(0), ...body(cells('origin_unavailable 206 0', WHOLE)) },
  // Every try brings some bytes, and the next goes on there.
  // A reset may also take away what was sent before it.
  'reset in the middle': { fault: faults.reset(MIDDLE), ...body(cells(WHOLE)), options: { retries: 50 } },
  'closed in the middle': { fault: faults.cut(MIDDLE), ...body(cells(WHOLE)) },
  'closed after a byte': { fault: faults.cut(1), ...body(cells('origin_unavailable 206 3', WHOLE)) },
  'silent before the head': { fault: faults.stall('head'), ...passing('origin_timeout'), ...SILENCE },
  'silent within the head': { fault: faults.stall('within-head'), ...passing('origin_timeout'), ...SILENCE },
  'silent before the body': { fault: faults.stall(0), ...body(cells('origin_timeout 206 0', WHOLE)), ...SILENCE },
  'silent in the middle': { fault: faults.stall(MIDDLE), ...body(cells(WHOLE)), ...SILENCE },
  'slow drip': { fault: faults.drip(50_000, 5), ...body(cells(WHOLE)) },

  400: { fault: faults.status(400), ...elsewhere('origin_protocol') },
  401: { fault: faults.status(401), ...final('forbidden'), middle: lacking('forbidden') },
  403: { fault: faults.status(403), ...final('forbidden'), middle: lacking('forbidden') },
  404: { fault: faults.status(404), ...final('not_found'), middle: lacking('not_found') },
  405: { fault: faults.status(405), ...elsewhere('origin_protocol') },
  408: { fault: faults.status(408), ...passing('origin_unavailable') },
  410: { fault: faults.status(410), ...final('gone'), middle: lacking('gone') },
  412: {
    fault: faults.status(412),
    ...elsewhere('origin_protocol'),
    middle: cells('object_changed - 0', WHOLE, WHOLE),
    revalidation: cells('origin_protocol - 0', WHOLE, CONFIRMED),
  },
  416: { fault: faults.status(416), ...final('range_not_satisfiable'), middle: lacking('range_not_satisfiable') },
  '416 for each range of what has it': { fault: refuseRanges, ...body(cells(ALL)) },
  '416 that tells a size within which the range lies': {
    fault: faults.status(416, { 'Content-Range': `bytes */${SIZE}` }),
    first: cells('origin_protocol - 0', ALL, WHOLE),
    middle: cells('origin_protocol - 0', ALL, WHOLE),
    revalidation: cells('origin_protocol - 0', CONFIRMED),
  },
  429: { fault: faults.status(429), ...passing('origin_unavailable') },
  500: { fault: faults.status(500), ...passing('origin_unavailable') },
  503: { fault: faults.status(503), ...passing('origin_unavailable') },
  '503 with Retry-After': {
    fault: faults.status(503, { 'Retry-After': '30' }),
    first: cells('origin_unavailable - 0', 'origin_unavailable - 0', WHOLE),
    // A film under way waits as long as it may.
    middle: cells('origin_unavailable - 0', WHOLE, WHOLE),
    revalidation: cells('origin_unavailable - 0', 'origin_unavailable - 0', CONFIRMED),
    options: { timeouts: { ...PATIENT, firstByte: 1500 } },
  },
  '500 with a body that never ends': { fault: [faults.status(500), faults.stall(2)], ...passing('origin_unavailable') },
  203: { fault: faults.status(203), ...elsewhere('origin_protocol') },
  204: { fault: faults.status(204, {}, null), ...elsewhere('origin_protocol') },
  302: { fault: faults.status(302), ...elsewhere('origin_protocol') },
  '304 that nobody asked for': {
    fault: faults.status(304, {}, null),
    ...elsewhere('origin_protocol'),
    middle: cells('origin_protocol - 0', WHOLE, WHOLE),
    revalidation: cells(CONFIRMED),
  },

  'body shorter than said': { fault: faults.short(MIDDLE), ...body(cells('origin_unavailable 206 300000', WHOLE)) },
  // What comes after the end of a body is not part of it.
  'body longer than said': { fault: faults.long(1000), ...body(cells(WHOLE)) },
  'chunked body longer than its range': {
    fault: [faults.long(1000), faults.chunked()],
    first: cells('origin_protocol 206 *', 'origin_protocol 206 *', WHOLE),
    revalidation: cells(CONFIRMED),
  },
  'chunked body': { fault: faults.chunked(), ...body(cells(WHOLE)) },
  'chunked body without an end': {
    fault: faults.unterminated(MIDDLE),
    ...body(cells('origin_unavailable 206 300000', WHOLE)),
  },
  'chunked body that ends before its range does': {
    fault: [faults.short(MIDDLE), faults.chunked()],
    ...body(cells('origin_unavailable 206 300000', WHOLE)),
  },
  // All bytes are there, and Content-Range says so.
  'chunked body without a last chunk': { fault: faults.unterminated(), ...body(cells(WHOLE)) },
  'body until the end of the connection': { fault: faults.untilClose(), ...body(cells(WHOLE)) },
  'body until the end of the connection, cut': {
    fault: [faults.untilClose(), faults.cut(MIDDLE)],
    ...body(cells(WHOLE)),
  },
  'Content-Length against Content-Range': {
    fault: plan => void (plan.status === 206 && plan.headers.set('Content-Length', '1000')),
    first: elsewhere('origin_protocol').first,
    revalidation: cells(CONFIRMED),
  },
  'Content-Length twice': {
    fault: raw(`${partial}\r\nContent-Length: 5\r\nContent-Length: 6`),
    ...elsewhere('origin_protocol'),
  },
  'negative Content-Length': { fault: raw(`${partial}\r\nContent-Length: -1`), ...elsewhere('origin_protocol') },
  'Content-Length that is no number': {
    fault: raw(`${partial}\r\nContent-Length: 0x10`),
    ...elsewhere('origin_protocol'),
  },

  '206 without Content-Range': {
    fault: faults.header('Content-Range', null),
    ...body(elsewhere('origin_protocol').first),
  },
  // What is there is used, and the rest is asked for, of which nothing comes.
  'Content-Range of an earlier part': {
    fault: faults.shifted(-1000),
    ...body(cells('origin_protocol 206 499000', WHOLE)),
  },
  'Content-Range of a later part': { fault: faults.shifted(1), ...body(elsewhere('origin_protocol').first) },
  'Content-Range that is no range': {
    fault: faults.header('Content-Range', 'bytes 100000-x/1000000'),
    ...body(elsewhere('origin_protocol').first),
  },
  'Content-Range in another unit': {
    fault: faults.header('Content-Range', 'items 100000-599999/1000000'),
    ...body(elsewhere('origin_protocol').first),
  },
  'Content-Range past its own size': {
    fault: faults.header('Content-Range', 'bytes 100000-599999/500000'),
    ...body(elsewhere('origin_protocol').first),
  },
  'Content-Range with a number past all bounds': {
    fault: faults.header('Content-Range', 'bytes 100000-599999/99999999999999999999'),
    ...body(elsewhere('origin_protocol').first),
  },
  '200 with the Content-Range of its body': { fault: as200, ...body(cells(WHOLE)) },
  '200 with another Content-Range than its body': {
    fault: [faults.header('Content-Range', 'bytes 0-9/20'), as200],
    ...body(elsewhere('origin_protocol').first),
  },
  '200 with a Content-Range, though its body is the whole': {
    fault: plan => {
      const field = plan.headers.get('Content-Range')!;
      faults.ignoreRange()(plan, undefined as never);
      if (plan.status === 200) plan.headers.set('Content-Range', field);
    },
    ...body(cells('ended 200 1000000')),
  },
  '200 with a Content-Range and no length': {
    fault: [as200, faults.chunked()],
    ...body(elsewhere('origin_protocol').first),
  },
  '200 with an unsatisfied Content-Range': {
    fault: [as200, plan => void (plan.status === 200 && plan.headers.set('Content-Range', `bytes */${SIZE}`))],
    ...body(elsewhere('origin_protocol').first),
  },
  '206 that brings all': {
    fault: plan => {
      faults.ignoreRange()(plan, undefined as never);
      if (plan.status === 200) plan.headers.set('Content-Range', `bytes 0-${SIZE - 1}/${SIZE}`);
      if (plan.status === 200) plan.status = 206;
    },
    ...body(cells('ended 200 1000000')),
  },
  'less than was asked for': { fault: capped(100_000), ...body(cells(WHOLE)) },
  'next to nothing of what was asked for': {
    fault: capped(10),
    ...body(cells('origin_protocol 206 30', WHOLE, 'origin_protocol 206 30')),
  },
  'more than was asked for, on both sides': {
    fault: plan => {
      if (plan.status !== 206) return;
      const start = Math.floor(plan.offset / 65_536) * 65_536;
      const end = Math.min(SIZE, Math.ceil((plan.offset + plan.length) / 65_536) * 65_536);
      Object.assign(plan, { offset: start, length: end - start });
      plan.headers.set('Content-Length', String(end - start));
      plan.headers.set('Content-Range', `bytes ${start}-${end - 1}/${SIZE}`);
    },
    ...body(cells(WHOLE)),
  },
  'one part for one range': { fault: faults.multipart(), ...body(cells(WHOLE)) },
  '200 for a range': { fault: faults.ignoreRange(), ...body(cells('ended 200 1000000')) },

  // The tag was strong when the object was first seen.
  'no notion of conditions': { fault: faults.ignoreConditions(), first: cells(WHOLE), revalidation: cells(WHOLE) },
  'weak tag': {
    fault: faults.weakEtag(),
    first: cells(WHOLE),
    middle: lacking('object_changed'),
    revalidation: cells(CONFIRMED),
  },
  // A 304 for another tag is not believed.
  'another tag in each answer': {
    fault: faults.etagPerRequest(),
    first: cells(WHOLE),
    middle: lacking('object_changed'),
    revalidation: cells(WHOLE),
  },
  'another tag in each answer, and a cut in the middle': {
    fault: [faults.etagPerRequest(), faults.cut(MIDDLE)],
    first: cells('object_changed 206 200000'),
    middle: lacking('object_changed'),
    revalidation: cells('object_changed 206 200000', WHOLE, 'object_changed 206 200000'),
  },
  'no validators, and a cut in the middle': {
    fault: [faults.header('ETag', null), faults.header('Last-Modified', null), faults.cut(MIDDLE)],
    // Goes on where it stopped, because the bytes before repeat themselves.
    first: cells(WHOLE),
    middle: lacking('object_changed'),
    revalidation: cells(CONFIRMED),
  },
  'no validators, and less than was asked for': {
    fault: [faults.header('ETag', null), faults.header('Last-Modified', null), capped(100_000)],
    first: cells(WHOLE),
    middle: lacking('object_changed'),
    revalidation: cells(CONFIRMED),
  },
  'no validators, a cut in the middle, and other bytes after it': {
    fault: [
      faults.header('ETag', null),
      faults.header('Last-Modified', null),
      faults.cut(MIDDLE),
      (plan, { range }) => {
        const { read } = plan;
        if (range?.start !== RANGE.start) plan.read = (from, to) => read(from + 1, to + 1);
      },
    ],
    first: cells('object_changed 206 200000', WHOLE, WHOLE),
    middle: lacking('object_changed'),
    revalidation: cells(CONFIRMED),
  },
  'refuses its own validators': { fault: refuseOwn, ...body(cells(WHOLE)) },
  'refuses its own date': {
    fault: [faults.header('ETag', null), refuseOwn],
    ...body(cells(WHOLE)),
    middle: cells('object_changed - 0', WHOLE, WHOLE),
  },
  ...Object.fromEntries(
    ['identity', 'none', 'aws-chunked', 'utf-8', 'UTF-8', '', ', none', 'identity, aws-chunked'].map(coding => [
      `coding that codes nothing: "${coding}"`,
      { fault: faults.header('Content-Encoding', coding), ...body(cells(WHOLE)) },
    ]),
  ),
  'coding after one that codes nothing': {
    fault: faults.header('Content-Encoding', 'aws-chunked, GZIP'),
    ...body(elsewhere('origin_protocol').first),
  },
  'gzip body': { fault: faults.gzip(), ...body(elsewhere('origin_protocol').first) },

  ...Object.fromEntries(
    ['gzip', 'x-gzip', 'identity', 'chunked', 'chunked;a=b'].map(coding => [
      `transfer coding "${coding}" below chunks`,
      { fault: [faults.header('Transfer-Encoding', coding), faults.chunked()], ...elsewhere('origin_protocol') },
    ]),
  ),
  'transfer coding without chunks': {
    fault: raw(`${partial}\r\nTransfer-Encoding: gzip`),
    ...elsewhere('origin_protocol'),
  },

  'redirect loop': { fault: faults.redirect('/f'), ...elsewhere('origin_protocol') },
  'redirect to a foreign host': { fault: faults.redirect('http://elsewhere.test/f'), ...elsewhere('origin_protocol') },

  'huge field': { fault: faults.hugeHeader(40_000), ...elsewhere('origin_protocol') },
  'endless head': { fault: faults.hugeHeader(1_000_000), ...elsewhere('origin_protocol') },
  'thousands of fields': { fault: faults.manyHeaders(5_000), ...elsewhere('origin_protocol') },
  'status line that is none': { fault: raw('HTTP/1.1 two hundred'), ...elsewhere('origin_protocol') },
  'field without a colon': { fault: raw('HTTP/1.1 200 OK\r\nno colon'), ...elsewhere('origin_protocol') },
  'NUL in a field': { fault: raw('HTTP/1.1 200 OK\r\nX: a\0b'), ...elsewhere('origin_protocol') },
  'not HTTP': { fault: raw('220 mail ready'), ...elsewhere('origin_protocol') },
  'two framings': {
    fault: raw(`${partial}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked`),
    ...elsewhere('origin_protocol'),
  },
  'switching protocols': {
    fault: raw('HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade'),
    ...passing('origin_unavailable'),
  },
  'field names that mean something to JavaScript': {
    fault: plan => void plan.headers.set('__proto__', 'x').set('constructor', 'y').set('toString', 'z'),
    ...body(cells(WHOLE)),
  },
};

/** A server and its replica, both with the object. */
class Pair {
  server!: FaultOrigin;
  replica!: FaultOrigin;
  validator!: Validator;

  async open(): Promise<this> {
    [this.server, this.replica] = await Promise.all([FaultOrigin.start(), FaultOrigin.start()]);
    for (const each of [this.server, this.replica]) each.put('/f', { size: SIZE });
    const origin = httpOrigin([this.server.url]);
    const sink = fetchInto(origin, { path: '/f', range: RANGE });
    await sink.over;
    this.validator = sink.answer!.validator;
    await origin.close();
    return this;
  }

  async close(): Promise<void> {
    await Promise.all([this.server.close(), this.replica.close()]);
  }

  get both(): string[] {
    return [this.server.url, this.replica.url];
  }
}

/** Fetches once with a new origin and says what came. */
async function outcome(
  urls: string[],
  condition?: OriginRequest['condition'],
  options: Partial<HttpOriginOptions> = {},
): Promise<string> {
  const origin = httpOrigin(urls, options);
  const sink = fetchInto(origin, { path: '/f', range: RANGE, condition });
  const over = await sink.over;
  await origin.close();
  return `${over} ${sink.answer?.status ?? '-'} ${sink.bytesSeen}`;
}

function expect(found: string, stated: string): void {
  if (!stated.endsWith('*')) assert.equal(found, stated);
  else assert.ok(found.startsWith(stated.slice(0, -1)), `${found} is not ${stated}`);
}

// Most of a cell is waiting, so the rows run side by side, each with its own servers.
describe('origin faults', { concurrency: 8 }, () => {
  for (const [name, row] of Object.entries(ROWS)) {
    test(name, async t => {
      const pair = await new Pair().open();
      const { server, validator } = pair;
      const phases: [string, Cells, OriginRequest['condition']][] = [
        ['first block', row.first, undefined],
        ['middle', row.middle ?? row.first, { kind: 'same', validator }],
        ['revalidation', row.revalidation, { kind: 'changed', validator }],
      ];
      const lay = (times: number) => {
        server.heal();
        server.forget();
        for (const fault of [row.fault].flat()) server.fault(fault, { times });
      };
      for (const [phase, { always, once, replica }, condition] of phases) {
        await t.test(phase, async () => {
          lay(Number.POSITIVE_INFINITY);
          expect(await outcome([server.url], condition, row.options), always);
          assert.ok(server.requests.length <= 9, `${server.requests.length} requests`);
          lay(1);
          expect(await outcome([server.url], condition, row.options), once);
          lay(Number.POSITIVE_INFINITY);
          expect(await outcome(pair.both, condition, row.options), replica);
        });
      }
      await pair.close();
    });
  }
});

let pair: Pair;
before(async () => {
  pair = await new Pair().open();
});
after(() => pair.close());

test('origin fault: connection refused', async () => {
  await pair.server.refuse();
  assert.equal(await outcome([pair.server.url]), 'origin_unavailable - 0');
  assert.equal(await outcome(pair.both), WHOLE);
  await pair.server.accept();
  assert.equal(await outcome(['http://does-not-exist.invalid']), 'origin_unavailable - 0');
});

test('origin fault: a certificate that nobody vouches for, and one that is not for this host', async () => {
  const certificate = selfSigned();
  const secure = await FaultOrigin.start({ tls: certificate });
  secure.put('/f', { size: SIZE });
  assert.equal(await outcome([secure.url]), 'origin_unavailable - 0');
  assert.equal(await outcome([secure.url, pair.replica.url]), WHOLE);
  assert.equal(await outcome([secure.url], undefined, { tls: { ca: certificate.cert } }), WHOLE);
  const named = { tls: { ca: certificate.cert, servername: 'elsewhere.test' } };
  assert.equal(await outcome([secure.url], undefined, named), 'origin_unavailable - 0');
  assert.equal(
    await outcome([pair.server.url.replace('http:', 'https:')], undefined, { timeouts: { ...PATIENT, connect: 100 } }),
    'origin_timeout - 0',
  );
  await secure.close();
});

test('origin fault: the object changes in place while it is read', async () => {
  for (const [urls, stated] of [
    [[pair.server.url], 'object_changed 206 200000'],
    // The replica still has the version that was begun.
    [[pair.server.url, pair.replica.url], WHOLE],
  ] as const) {
    pair.server.heal();
    pair.server.put('/f', { size: SIZE });
    pair.server.fault(faults.cut(MIDDLE), { times: 1 });
    pair.server.fault(() => queueMicrotask(() => pair.server.put('/f', { size: SIZE, version: 'v2' })), { times: 1 });
    assert.equal(await outcome([...urls]), stated);
  }
  pair.server.put('/f', { size: SIZE });
});

test('origin fault: the same tag for another size', async () => {
  pair.server.heal();
  pair.server.fault(faults.cut(MIDDLE), { times: 1 });
  pair.server.fault(
    plan => plan.headers.set('Content-Range', `bytes ${plan.offset}-${plan.offset + plan.length - 1}/2000000`),
    { skip: 1 },
  );
  assert.equal(await outcome([pair.server.url]), 'object_changed 206 200000');
});
