import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { lengthOf } from '../../../src/virtual-file/slice.js';
import type { Span } from '../../../src/virtual-file/span.js';
import { contentAt } from '../../support/content.js';
import { FakeObject } from '../../support/fake-content.js';
import { everyFile } from '../../support/fake-views.js';
import { ENGINES, listening, startEdge } from '../../support/http-edge.js';
import { fetchRaw } from '../../support/raw-http.js';
import { spanLists, wholeOf } from '../../support/span-lists.js';

for (const engine of ENGINES)
  describe(`over ${engine}`, () => {
    const bytes = contentAt('/film.mp4', 'v1', 0, 600_000);

    /** Splits a multipart body with Python's mail parser, which nobody here wrote. */
    function partsOf(contentType: string, body: Buffer): { type: string; range: string; body: Buffer }[] {
      const script = `
import sys, json, email.parser, email.policy
parsed = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(sys.stdin.buffer.read())
assert parsed.is_multipart() and not parsed.defects, parsed.defects
print(json.dumps([[p['Content-Type'], p['Content-Range'], p.get_payload(decode=True).hex()] for p in parsed.iter_parts()]))`;
      const { stdout, stderr, status } = spawnSync('python3', ['-c', script], {
        input: Buffer.concat([Buffer.from(`Content-Type: ${contentType}\r\n\r\n`), body]),
        maxBuffer: 64 << 20,
      });
      assert.equal(status, 0, String(stderr));
      const parts = JSON.parse(String(stdout)) as [string, string, string][];
      return parts.map(([type, range, hex]) => ({ type, range, body: Buffer.from(hex, 'hex') }));
    }

    test('several ranges are parts, in the order asked for', async () => {
      const { content, port } = await startEdge({}, listening(engine));
      // Text, because a mail parser is not transparent to line breaks in binary parts.
      const text = Buffer.from(bytes.toString('base64'));
      content.paths.set('/film.mp4', new FakeObject(text));
      const { status, fields, body } = await fetchRaw(port, 'GET', '/film.mp4', {
        Range: 'bytes=500000-500099,0-9,-5,262100-262200',
      });
      assert.equal(status, 206);
      assert.equal(fields['content-range'], undefined);
      assert.match(fields['content-type']!, /^multipart\/byteranges; boundary=[\w-]{20}$/);
      assert.equal(fields.etag?.startsWith('"'), true);
      const expected = [
        [500_000, 500_100],
        [0, 10],
        [text.length - 5, text.length],
        [262_100, 262_201],
      ].map(([start, end]) => ({
        type: 'video/mp4',
        range: `bytes ${start}-${end! - 1}/${text.length}`,
        body: text.subarray(start, end),
      }));
      assert.deepEqual(partsOf(fields['content-type']!, body), expected);
    });

    test('ranges that touch or of which one is left are a plain 206', async () => {
      const { content, port } = await startEdge({}, listening(engine));
      content.paths.set('/film.mp4', new FakeObject(bytes));
      for (const [range, start, end] of [
        ['bytes=0-9,10-19', 0, 20],
        ['bytes=5-6,9999999-', 5, 7],
      ] as const) {
        const { status, fields, body } = await fetchRaw(port, 'GET', '/film.mp4', { Range: range });
        assert.equal(status, 206);
        assert.equal(fields['content-range'], `bytes ${start}-${end - 1}/600000`);
        assert.deepEqual(body, bytes.subarray(start, end));
      }
    });

    /** The body that several ranges must have, built from the part headers that came. */
    function assertMultipart(
      contentType: string,
      body: Buffer,
      whole: Buffer,
      ranges: readonly (readonly [number, number])[],
    ): void {
      const boundary = contentType.split('boundary=')[1]!;
      const parts = ranges.map(([start, end], i) =>
        Buffer.concat([
          Buffer.from(
            `${i === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: video/x-test\r\nContent-Range: bytes ${start}-${end - 1}/${whole.length}\r\n\r\n`,
          ),
          whole.subarray(start, end),
        ]),
      );
      assert.deepEqual(body, Buffer.concat([...parts, Buffer.from(`\r\n--${boundary}--\r\n`)]));
    }

    test('any ranges of any virtual file are its bytes, over a socket', async () => {
      const object = contentAt('/small', 'v1', 0, 4000);
      let spans: Span[] = [];
      const file = () => ({
        size: lengthOf(spans),
        etag: '"made"',
        lastModified: undefined,
        contentType: 'video/x-test',
        spans,
        seekActual: undefined,
      });
      const { content, port } = await startEdge({ views: everyFile(file) }, listening(engine));
      const film = new FakeObject(object);
      content.paths.set('/film', film);
      await fc.assert(
        fc.asyncProperty(
          spanLists(object.length),
          fc.array(fc.nat(), { minLength: 2, maxLength: 8 }),
          fc.nat(5000),
          async (list, cuts, available) => {
            spans = list;
            const whole = wholeOf(spans, object);
            const places = [...new Set(cuts.map(cut => cut % (whole.length + 1)))].sort((a, b) => a - b);
            const ranges: [number, number][] = [];
            for (let i = 0; i + 1 < places.length; i += 2) ranges.push([places[i]!, places[i + 1]!]);
            if (ranges.length === 0) return;
            ranges.reverse();
            film.available = available;
            const late = setTimeout(() => {
              film.available = Infinity;
            }, 1);
            const field = `bytes=${ranges.map(([start, end]) => `${start}-${end - 1}`).join(', ')}`;
            const { status, fields, body } = await fetchRaw(port, 'GET', '/film', { Range: field });
            clearTimeout(late);
            assert.equal(status, 206);
            if (ranges.length === 1) assert.deepEqual(body, whole.subarray(...ranges[0]!));
            else assertMultipart(fields['content-type']!, body, whole, ranges);
          },
        ),
        { numRuns: 200 },
      );
      assert.deepEqual(film.faults, []);
      assert.equal(film.readers.size, 0);
    });
  });
