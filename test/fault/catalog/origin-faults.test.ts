import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import type { HttpOrigin } from '../../../src/origin/http/http-origin.js';
import { CatalogBench, type Worker } from '../../support/catalog-bench.js';
import { selfSigned } from '../../support/certificate.js';
import { DEFAULTS } from '../../support/defaults.js';
import { type Fault, FaultOrigin, faults } from '../../support/fault-origin.js';
import { httpOrigin, PATIENT } from '../../support/http-origin.js';
import { SlabTier } from '../../support/slab-tier.js';
import { until } from '../../support/until.js';

/*
 * Each fault of an origin in each phase of a film, with one server and with a sound replica behind it. A cell states
 * what the player gets who meets the fault, and what the next one gets, who meets it again: the way by which the first
 * block came, with the whole film behind it, or an error, perhaps after what was cached. `a, b` stands for two
 * outcomes, `a` for the same twice. When the fault has passed, the next player gets the whole film in each cell. Every
 * byte is compared; a wrong one is an error without a code.
 */
const FILM = '/film.mp4';
const SIZE = 4 * BLOCK_SIZE - 100_000;
const CACHED = BLOCK_SIZE;
/** Milliseconds that an origin may be silent where that is the fault. */
const SILENCE = 2000;

/** What is cached when the fault befalls, and what the origin has said of it. */
const PHASES = [
  { name: 'first block', cached: 0, control: 'max-age=600' },
  { name: 'middle', cached: CACHED, control: 'max-age=600' },
  { name: 'revalidation', cached: SIZE, control: 'max-age=0' },
  { name: 'revalidation of a part', cached: CACHED, control: 'max-age=0' },
  { name: 'revalidation that must be', cached: SIZE, control: 'max-age=0, must-revalidate' },
] as const;
type Phase = (typeof PHASES)[number];

/** One outcome for each phase. */
type Cells = readonly [string, string, string, string, string];

interface Row {
  /**
   * Befalls every request; `refused`: nobody listens; `untrusted`: the server shows a certificate that nobody vouches
   * for. `silent`: says nothing more.
   */
  readonly fault: Fault | 'refused' | 'untrusted';
  readonly silent?: true;
  readonly one: Cells;
  readonly two: Cells;
}

/** A fault that the edge copes with. */
const UNHARMED: Cells = ['miss, memory', 'memory', 'revalidated', 'revalidated', 'revalidated'];
/** A fault that every answer has. */
const always = (code: string): Cells => [code, code, code, code, code];
/** What one server says of the film where no version is known; another may have the version that is being watched. */
const lacking = (code: string): Cells => [code, 'memory', code, code, code];
/** A fault that says nothing of the film, which is served stale where that is allowed and all of it is cached. */
const inHead = (code: string): Cells => [code, code, 'stale', code, code];
/** A fault of bodies, which a confirmation does not have. */
const inBody = (code: string): Cells => [code, code, 'revalidated', code, 'revalidated'];

/** Later fetches seem to be of another version: the first player finds out, and then the film comes in one. */
const FOUND_OUT: Cells = [
  'object_changed, miss',
  'object_changed, miss',
  'revalidated',
  'object_changed, miss',
  'revalidated',
];

const ROWS: Record<string, Row> = {
  'refused connection': { fault: 'refused', one: inHead('origin_unavailable'), two: UNHARMED },
  'untrusted certificate': { fault: 'untrusted', one: inHead('origin_unavailable'), two: UNHARMED },
  'reset before the head': { fault: faults.reset('head'), one: inHead('origin_unavailable'), two: UNHARMED },
  'reset within the head': { fault: faults.reset('within-head'), one: inHead('origin_unavailable'), two: UNHARMED },
  'reset in the body': { fault: faults.reset(1000), one: inBody('origin_unavailable'), two: UNHARMED },
  'closed before the head': { fault: faults.cut('head'), one: inHead('origin_unavailable'), two: UNHARMED },
  'closed in the body': { fault: faults.cut(70_000), one: inBody('origin_unavailable'), two: UNHARMED },
  'silent before the head': { fault: faults.stall('head'), silent: true, one: inHead('origin_timeout'), two: UNHARMED },
  'silent within the head': {
    fault: faults.stall('within-head'),
    silent: true,
    one: inHead('origin_timeout'),
    two: UNHARMED,
  },
  'silent before the body': { fault: faults.stall(0), silent: true, one: inBody('origin_timeout'), two: UNHARMED },
  'silent in the body': { fault: faults.stall(1000), silent: true, one: inBody('origin_timeout'), two: UNHARMED },
  'slow drip': { fault: faults.drip(100_000, 1), one: UNHARMED, two: UNHARMED },
  400: { fault: faults.status(400), one: inHead('origin_protocol'), two: UNHARMED },
  401: {
    fault: faults.status(401),
    one: ['unauthorized', 'forbidden', 'unauthorized', 'unauthorized', 'unauthorized'],
    two: lacking('unauthorized'),
  },
  403: { fault: faults.status(403), one: always('forbidden'), two: lacking('forbidden') },
  404: { fault: faults.status(404), one: always('not_found'), two: lacking('not_found') },
  410: { fault: faults.status(410), one: always('gone'), two: lacking('gone') },
  412: {
    fault: faults.status(412),
    one: [
      'origin_protocol',
      'object_changed, origin_protocol',
      'stale',
      'object_changed, origin_protocol',
      'origin_protocol',
    ],
    two: UNHARMED,
  },
  416: {
    fault: faults.status(416),
    one: ['origin_protocol', 'range_not_satisfiable', 'stale', 'range_not_satisfiable', 'origin_protocol'],
    two: UNHARMED,
  },
  429: { fault: faults.status(429), one: inHead('origin_unavailable'), two: UNHARMED },
  500: { fault: faults.status(500), one: inHead('origin_unavailable'), two: UNHARMED },
  503: { fault: faults.status(503), one: inHead('origin_unavailable'), two: UNHARMED },
  '204, which is no answer': { fault: faults.status(204, {}, null), one: inHead('origin_protocol'), two: UNHARMED },
  'body shorter than said': { fault: faults.short(10), one: inBody('origin_unavailable'), two: UNHARMED },
  'body longer than said': { fault: faults.long(1000), one: UNHARMED, two: UNHARMED },
  'chunked body': { fault: faults.chunked(), one: UNHARMED, two: UNHARMED },
  'chunked body without an end': { fault: faults.unterminated(1000), one: inBody('origin_unavailable'), two: UNHARMED },
  'Content-Range of another part': { fault: faults.shifted(3), one: inBody('origin_protocol'), two: UNHARMED },
  '206 without Content-Range': {
    fault: faults.header('Content-Range', null),
    one: inBody('origin_protocol'),
    two: UNHARMED,
  },
  '200 for a range': { fault: faults.ignoreRange(), one: UNHARMED, two: UNHARMED },
  '200 with the Content-Range of its body': {
    fault: plan => {
      if (plan.status === 206) plan.status = 200;
    },
    one: UNHARMED,
    two: UNHARMED,
  },
  '200 with a Content-Range and no length': {
    fault: (plan, request) => {
      if (plan.status === 206) plan.status = 200;
      faults.chunked()(plan, request);
    },
    one: inBody('origin_protocol'),
    two: UNHARMED,
  },
  '206 that brings all': {
    fault: (plan, request) => {
      faults.ignoreRange()(plan, request);
      if (plan.status !== 200) return;
      plan.status = 206;
      plan.headers.set('Content-Range', `bytes 0-${SIZE - 1}/${SIZE}`);
    },
    one: UNHARMED,
    two: UNHARMED,
  },
  'less than was asked for': { fault: capped(100_000), one: UNHARMED, two: UNHARMED },
  'refuses its own validators': {
    fault: (plan, request) => {
      const { headers } = request;
      if (headers['if-match'] ?? headers['if-unmodified-since'] ?? headers['if-none-match'])
        faults.status(412)(plan, request);
    },
    one: ['miss, memory', 'memory', 'miss', 'miss', 'miss'],
    two: ['miss, memory', 'memory', 'miss', 'miss', 'miss'],
  },
  'coding that codes nothing': {
    fault: faults.header('Content-Encoding', 'aws-chunked'),
    one: UNHARMED,
    two: UNHARMED,
  },
  'one part for one range': { fault: faults.multipart(), one: UNHARMED, two: UNHARMED },
  gzip: { fault: faults.gzip(), one: inBody('origin_protocol'), two: UNHARMED },
  'no validators': {
    fault: plan => {
      plan.headers.delete('ETag');
      plan.headers.delete('Last-Modified');
    },
    one: ['miss, memory', 'object_changed, miss', 'revalidated', 'object_changed, miss', 'revalidated'],
    two: UNHARMED,
  },
  'weak tag': {
    fault: faults.weakEtag(),
    one: ['miss, memory', 'object_changed, miss', 'revalidated', 'object_changed, miss', 'revalidated'],
    two: UNHARMED,
  },
  'another tag in each answer': {
    fault: faults.etagPerRequest(),
    // The first player finds out; from then on the film comes in one.
    one: always('object_changed, miss'),
    two: lacking('object_changed, miss'),
  },
  'another tag in later blocks': {
    fault: plan => void (plan.offset >= 2 * BLOCK_SIZE && plan.headers.set('ETag', '"other"')),
    one: FOUND_OUT,
    two: UNHARMED,
  },
  'redirect loop': { fault: faults.redirect(FILM), one: inHead('origin_protocol'), two: UNHARMED },
  'redirect to a foreign host': {
    fault: faults.redirect('http://elsewhere.example/film.mp4'),
    one: inHead('origin_protocol'),
    two: UNHARMED,
  },
  'huge field': { fault: faults.hugeHeader(100_000), one: inHead('origin_protocol'), two: UNHARMED },
  'thousands of fields': { fault: faults.manyHeaders(5_000), one: inHead('origin_protocol'), two: UNHARMED },
  'field without a colon': {
    fault: faults.rawHead('HTTP/1.1 200 OK\r\nno colon\r\n\r\n'),
    one: inHead('origin_protocol'),
    two: UNHARMED,
  },
  'no HTTP at all': { fault: faults.rawHead('SSH-2.0-OpenSSH\r\n\r\n'), one: inHead('origin_protocol'), two: UNHARMED },
};

/** At most so many bytes of a range, and a head that says so. */
function capped(bytes: number): Fault {
  return plan => {
    if (plan.status !== 206 || plan.length <= bytes) return;
    plan.length = bytes;
    plan.headers.set('Content-Length', String(bytes));
    plan.headers.set('Content-Range', `bytes ${plan.offset}-${plan.offset + bytes - 1}/${SIZE}`);
  };
}

const certificate = selfSigned();
const unknown = selfSigned();

describe('the catalog over an origin that fails', { concurrency: 32 }, () => {
  for (const [name, row] of Object.entries(ROWS)) {
    for (const [servers, cells] of [
      ['one server', row.one],
      ['a replica behind it', row.two],
    ] as const) {
      PHASES.forEach((phase, index) => {
        it(`${name}, ${servers}, ${phase.name}: ${cells[index]}`, { timeout: 600_000 }, async () => {
          const [player = '', next = player] = cells[index]!.split(', ');
          const bench = await Bench.open(row.fault, servers === 'one server' ? 1 : 2, phase);
          try {
            await bench.check(row, player, next);
          } finally {
            await bench.close();
          }
        });
      });
    }
  }
});

/** One cell: a worker with what is cached in its phase, before its servers. */
class Bench {
  /** Those of the origin: short while it is silent, so that the test is not. */
  readonly #timeouts = { ...PATIENT };
  readonly #tier = new SlabTier({ blocks: 8, fillShare: 0.9 });
  readonly #origin: HttpOrigin;
  readonly #worker: Worker;

  private constructor(readonly servers: readonly FaultOrigin[]) {
    this.#origin = httpOrigin(
      servers.map(({ url }) => url),
      {
        timeouts: this.#timeouts,
        retries: 1,
        breaker: { failures: 1e6, cooldown: 1, maxCooldown: 1 },
        tls: { ca: certificate.cert },
      },
    );
    // Errors are not remembered here: the next player is to meet the fault, or its end, itself.
    const freshness = { ...DEFAULTS.catalog.freshness, errorTtl: 0, notFoundTtl: 0 };
    this.#worker = new CatalogBench(this.#origin, { tier: this.#tier, now: Date.now, freshness }).worker();
  }

  static async open(fault: Row['fault'], count: number, { cached, control }: Phase): Promise<Bench> {
    const options = fault === 'untrusted' ? { tls: certificate } : {};
    const servers = await Promise.all(Array.from({ length: count }, () => FaultOrigin.start(options)));
    for (const server of servers) server.put(FILM, { size: SIZE, headers: { 'Cache-Control': control } });
    const bench = new Bench(servers);
    if (cached > 0) await bench.#worker.watch(FILM, { end: cached });
    return bench;
  }

  /** The player and the next one while the fault lasts, and one more when it has passed. */
  async check({ fault, silent }: Row, player: string, next: string): Promise<void> {
    const first = this.servers[0]!;
    if (silent) Object.assign(this.#timeouts, { firstByte: SILENCE, stall: SILENCE });
    if (typeof fault === 'function') first.fault(fault, { path: FILM });
    else await first.refuse();
    if (fault === 'untrusted') await first.accept(unknown);
    assert.equal(await this.#watch(), player);
    assert.equal(await this.#watch(), next);
    // A try that is under way would bring the fault to whoever asks after its end.
    await until('tries to end', () => this.#origin.stats.active === 0);
    Object.assign(this.#timeouts, PATIENT);
    first.heal();
    if (fault === 'untrusted') {
      await first.refuse();
      await first.accept(certificate);
    } else await first.accept();
    await this.#recovers();
    await until('fills to end', () => this.#tier.stats.filling === 0);
  }

  /** After a failure nobody waits for the next try, so players may still get the stale film while it is under way. */
  async #recovers(): Promise<void> {
    const { stats } = this.#worker.catalog;
    const confirmed = stats.confirmed;
    let outcome = await this.#watch();
    if (outcome === 'stale') {
      await until('the film to be confirmed', async () => {
        await this.#watch();
        return stats.confirmed > confirmed;
      });
      outcome = await this.#watch();
    }
    assert.ok(['miss', 'collapsed', 'memory', 'revalidated'].includes(outcome), outcome);
  }

  async #watch(): Promise<string> {
    try {
      return (await this.#worker.watch(FILM)).firstOutcome;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined) throw error;
      return code;
    }
  }

  async close(): Promise<void> {
    await this.#origin.close();
    await Promise.all(this.servers.map(server => server.close()));
  }
}
