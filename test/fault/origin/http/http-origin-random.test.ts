import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Fault, FaultOrigin, faults } from '../../../support/fault-origin.js';
import { httpOrigin } from '../../../support/http-origin.js';
import { fetchInto } from '../../../support/recording-sink.js';

const SIZE = 300_000;
const position = fc.nat({ max: SIZE });
const at = fc.oneof(fc.constantFrom('head' as const, 'within-head' as const), position);

/** Faults that end by themselves. */
const fault: fc.Arbitrary<Fault> = fc.oneof(
  at.map(faults.reset),
  at.map(faults.cut),
  position.map(faults.short),
  position.map(faults.unterminated),
  fc.constant(faults.chunked()),
  fc.constant(faults.untilClose()),
  fc.integer({ min: -1000, max: 1000 }).map(faults.shifted),
  fc.nat({ max: 1000 }).map(faults.long),
  fc.constantFrom(301, 400, 404, 412, 416, 429, 500, 503).map(status => faults.status(status)),
  fc.constant(faults.ignoreRange()),
  fc.constant(faults.gzip()),
  fc.constant(faults.weakEtag()),
  fc.constant(faults.etagPerRequest()),
  fc.constant(faults.header('Content-Length', null)),
  fc.constant(faults.header('ETag', null)),
  fc.constant(faults.header('Last-Modified', null)),
  fc.string({ maxLength: 30 }).map(text => faults.header('Content-Range', text.replaceAll(/[^\x20-\x7e]/g, ''))),
  fc.uint8Array({ maxLength: 300 }).map(bytes => faults.rawHead(Buffer.from(bytes))),
  fc.record({ at: position, ms: fc.constant(5) }).map(({ at, ms }) => faults.stall(at, ms)),
);

// The sink itself asserts that every byte is right, none is missing or too many, and nothing follows the end.
test('whatever goes wrong in whatever order, the sink gets right bytes in order or an error', async () => {
  const [first, second] = await Promise.all([FaultOrigin.start(), FaultOrigin.start()]);
  const outcomes = new Map<string, number>();
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fault, fc.boolean(), fc.nat({ max: 3 }), fc.nat({ max: 3 })), { minLength: 1, maxLength: 4 }),
        // What breaks off the first answer, so that the faults above meet the ones that continue it.
        position,
        fc.subarray([faults.ignoreRange(), faults.ignoreConditions()]),
        fc.option(fc.tuple(position, position), { nil: undefined }),
        fc.constantFrom('none', 'same', 'changed'),
        fc.boolean(),
        fc.nat({ max: 3 }),
        async (laid, cut, ignorance, bounds, kind, replica, changeAfter) => {
          for (const each of [first, second]) {
            each.heal();
            each.put('/f', { size: SIZE });
            for (const ignored of ignorance) each.fault(ignored);
            each.fault(faults.cut(cut), { times: 1 });
          }
          for (const [each, onSecond, skip, times] of laid)
            (onSecond ? second : first).fault(each, { skip, times: times + 1 });
          const origin = httpOrigin(replica ? [first.url, second.url] : [first.url], {
            backoff: 1,
            timeouts: { connect: 5000, firstByte: 1000, stall: 1000 },
          });
          const range = bounds && { start: Math.min(...bounds), end: Math.max(...bounds) + 1 };
          const validator = { etag: `"v1-${SIZE}"`, lastModified: undefined };
          const condition = kind === 'none' ? undefined : { kind: kind as 'same' | 'changed', validator };
          let pieces = 0;
          const sink = fetchInto(
            origin,
            { path: '/f', range, condition },
            {
              onEvent: (s, event) => {
                if (event !== 'bytes') return;
                // In place, while it is read.
                if (++pieces === changeAfter)
                  for (const each of [first, second]) each.put('/f', { size: SIZE, version: 'v2' });
                if (pieces % 3 === 0) {
                  s.fetch.pause();
                  setImmediate(() => s.fetch.resume());
                }
              },
            },
          );
          const outcome = await sink.over;
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          await origin.close();
          assert.equal(origin.stats.active, 0);
        },
      ),
      { numRuns: 200, interruptAfterTimeLimit: 20_000 },
    );
  } finally {
    await Promise.all([first.close(), second.close()]);
  }
  assert.ok((outcomes.get('ended') ?? 0) > 10, JSON.stringify([...outcomes]));
});
