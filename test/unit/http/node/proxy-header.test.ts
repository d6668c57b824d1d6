import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plainAddress } from '../../../../src/http/forwarded.js';
import { parseProxyHeader } from '../../../../src/http/node/proxy-header.js';

const SIGNATURE = '0d0a0d0a000d0a515549540a';

/** A header of version 2 by its bytes behind the signature. */
function v2(command: number, family: number, addresses: Buffer, size = addresses.length): Buffer {
  const head = Buffer.from(`${SIGNATURE}00000000`, 'hex');
  head[12] = command;
  head[13] = family;
  head.writeUInt16BE(size, 14);
  return Buffer.concat([head, addresses]);
}

test('headers of version 1 that the specification has, and their mistakes', () => {
  const cases: [text: string, address: string | undefined | 'wrong' | 'part'][] = [
    ['PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n', '255.255.255.255'],
    ['PROXY TCP6 2001:DB8::1 ::1 56324 443\r\nGET', '2001:db8::1'],
    ['PROXY UNKNOWN\r\n', undefined],
    ['PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n', undefined],
    ['PROXY TCP4 192.168.0.1 192.168.0.11 56324', 'part'],
    ['PRO', 'part'],
    ['', 'part'],
    ['PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\n', 'part'],
    [`PROXY TCP4 ${'1'.repeat(120)}`, 'wrong'],
    ['PROXY TCP4 ::1 192.168.0.11 56324 443\r\n', 'wrong'],
    ['PROXY TCP6 192.168.0.1 192.168.0.11 56324 443\r\n', 'wrong'],
    ['PROXY TCP4 192.168.0.1 192.168.0.11 70000 443\r\n', 'wrong'],
    ['PROXY TCP4 192.168.0.1 192.168.0.11 443\r\n', 'wrong'],
    ['PROXY TCP4 192.168.0.256 192.168.0.11 1 443\r\n', 'wrong'],
    ['PROXY  TCP4 192.168.0.1 192.168.0.11 1 443\r\n', 'wrong'],
    ['proxy TCP4 192.168.0.1 192.168.0.11 1 443\r\n', 'wrong'],
    ['GET / HTTP/1.1\r\n', 'wrong'],
  ];
  for (const [text, expected] of cases) {
    const header = parseProxyHeader(Buffer.from(text, 'latin1'));
    const found = header.kind === 'whole' ? header.address : header.kind;
    assert.equal(found, expected, text);
    if (header.kind === 'whole') assert.equal(header.length, text.indexOf('\r\n') + 2);
  }
});

test('headers of version 2', () => {
  const four = Buffer.from([203, 0, 113, 5, 10, 0, 0, 1, 0, 80, 1, 187]);
  const six = Buffer.concat([Buffer.from('20010db8000000000000000000000001'.repeat(2), 'hex'), Buffer.alloc(4)]);
  const cases: [bytes: Buffer, address: string | undefined | 'wrong' | 'part'][] = [
    [v2(0x21, 0x11, four), '203.0.113.5'],
    [v2(0x21, 0x11, Buffer.concat([four, Buffer.from('040001ff', 'hex')])), '203.0.113.5'],
    [v2(0x21, 0x21, six), '2001:db8::1'],
    [v2(0x20, 0x00, Buffer.alloc(0)), undefined],
    [v2(0x20, 0x11, four), undefined],
    [v2(0x21, 0x31, Buffer.alloc(216)), undefined],
    [v2(0x21, 0x00, Buffer.alloc(0)), undefined],
    [v2(0x21, 0x11, four.subarray(0, 8)), 'wrong'],
    [v2(0x21, 0x21, four), 'wrong'],
    [v2(0x11, 0x11, four), 'wrong'],
    [v2(0x22, 0x11, four), 'wrong'],
    [v2(0x21, 0x11, four, 5000), 'wrong'],
    [v2(0x21, 0x11, four, 200), 'part'],
  ];
  for (const [bytes, expected] of cases) {
    const header = parseProxyHeader(bytes);
    assert.equal(header.kind === 'whole' ? header.address : header.kind, expected, bytes.toString('hex'));
    if (header.kind === 'whole') assert.equal(header.length, bytes.length);
  }
});

test('a header is the same in whatever pieces it comes, and what follows it is left alone', () => {
  const line = fc
    .record({ client: fc.ipV4(), port: fc.nat(65_535) })
    .map(({ client, port }) => ({ client, bytes: Buffer.from(`PROXY TCP4 ${client} 10.0.0.1 ${port} 80\r\n`) }));
  const binary = fc
    .record({ client: fc.ipV4(), extensions: fc.uint8Array({ maxLength: 300 }) })
    .map(({ client, extensions }) => {
      const addresses = Buffer.from([...client.split('.').map(Number), 10, 0, 0, 1, 0, 80, 1, 187]);
      return { client, bytes: v2(0x21, 0x11, Buffer.concat([addresses, extensions])) };
    });
  fc.assert(
    fc.property(fc.oneof(line, binary), fc.uint8Array({ maxLength: 20 }), ({ client, bytes }, rest) => {
      for (let length = 0; length < bytes.length; length++)
        assert.deepEqual(parseProxyHeader(bytes.subarray(0, length)), { kind: 'part' });
      const whole = { kind: 'whole', length: bytes.length, address: client };
      assert.deepEqual(parseProxyHeader(Buffer.concat([bytes, rest])), whole);
    }),
  );
});

test('whatever comes, what is said of it is of the right kind, and its end does not lie behind it', () => {
  const start = fc.constantFrom(Buffer.from(SIGNATURE, 'hex'), Buffer.from('PROXY '), Buffer.from('PROXY TCP6 '));
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom('::1 ', '1.2.3.4 ', '80', '\r\n').map(text => Buffer.from(text)),
  );
  fc.assert(
    fc.property(start, fc.array(piece, { maxLength: 8 }), (first, more) => {
      const bytes = Buffer.concat([first, ...more]);
      const header = parseProxyHeader(bytes);
      if (header.kind !== 'whole') return;
      assert.ok(header.length <= bytes.length);
      if (header.address !== undefined) assert.equal(plainAddress(header.address), header.address);
    }),
  );
});
