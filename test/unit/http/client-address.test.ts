import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClientAddresses } from '../../../src/http/client-address.js';
import { hopsOf, plainAddress } from '../../../src/http/forwarded.js';
import type { FrontRequest, FrontResponse } from '../../../src/http/front-end.js';

/** A request by its connection's other end and its field lines. */
function from(peer: string, lines: readonly (readonly [string, string])[]) {
  const res = { getRemoteAddressAsText: () => Uint8Array.from(Buffer.from(peer)).buffer } as unknown as FrontResponse;
  const req = {
    getHeader: (name: string) => lines.find(([other]) => other === name)?.[1] ?? '',
    forEach: (take: (name: string, value: string) => void) => {
      for (const [name, value] of lines) take(name, value);
    },
  } as FrontRequest;
  return [res, req] as const;
}

const xff = (value: string) => ['x-forwarded-for', value] as const;
const forwarded = (value: string) => ['forwarded', value] as const;

test('the client is whom the last proxy that is trusted names, and never whom others name', () => {
  const clients = new ClientAddresses(['127.0.0.1/32', '10.0.0.0/8', '2001:db8::/32']);
  const cases: [peer: string, lines: (readonly [string, string])[], client: string][] = [
    ['198.51.100.9', [xff('203.0.113.5')], '198.51.100.9'],
    ['198.51.100.9', [forwarded('for=203.0.113.5')], '198.51.100.9'],
    ['127.0.0.1', [], '127.0.0.1'],
    ['127.0.0.1', [xff('203.0.113.5')], '203.0.113.5'],
    ['127.0.0.1', [xff('6.6.6.6, 203.0.113.5')], '203.0.113.5'],
    ['127.0.0.1', [xff('6.6.6.6, 203.0.113.5, 10.1.2.3')], '203.0.113.5'],
    ['127.0.0.1', [xff('6.6.6.6'), xff('203.0.113.5')], '203.0.113.5'],
    ['127.0.0.1', [xff('10.1.2.3, 10.1.2.4')], '10.1.2.3'],
    ['127.0.0.1', [xff('6.6.6.6, nonsense, 10.1.2.3')], '10.1.2.3'],
    ['127.0.0.1', [xff('203.0.113.5:4711')], '203.0.113.5'],
    ['127.0.0.1', [xff('[2001:DB9::1]:443')], '2001:db9::1'],
    ['127.0.0.1', [xff('::ffff:203.0.113.5')], '203.0.113.5'],
    ['127.0.0.1', [xff(',,')], '127.0.0.1'],
    ['127.0.0.1', [forwarded('for=203.0.113.5;proto=https')], '203.0.113.5'],
    ['127.0.0.1', [forwarded('proto=https; For="[2001:db9::1]:4711"')], '2001:db9::1'],
    ['127.0.0.1', [forwarded('for="6.6.6.6, 7.7.7.7", for=203.0.113.5')], '203.0.113.5'],
    ['127.0.0.1', [forwarded('for=6.6.6.6, for=unknown')], '127.0.0.1'],
    ['127.0.0.1', [forwarded('for=6.6.6.6, for=_hidden, for=10.1.2.3')], '10.1.2.3'],
    ['127.0.0.1', [xff('203.0.113.5'), forwarded('for=6.6.6.6')], '203.0.113.5'],
    ['0000:0000:0000:0000:0000:ffff:7f00:0001', [xff('203.0.113.5')], '203.0.113.5'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', [xff('2001:db9::1')], '2001:db9::1'],
    ['2001:0db9:0000:0000:0000:0000:0000:0001', [xff('6.6.6.6')], '2001:db9::1'],
    ['', [xff('203.0.113.5')], '203.0.113.5'],
    ['', [], ''],
  ];
  for (const [peer, lines, client] of cases)
    assert.equal(clients.of(...from(peer, lines)), client, `${peer} ${JSON.stringify(lines)}`);
});

test('who trusts nobody asks no field', () => {
  assert.equal(ClientAddresses.ofPeers().of(...from('127.0.0.1', [xff('203.0.113.5')])), '127.0.0.1');
});

test('whatever stands in the fields, what comes out are addresses, and few', () => {
  const piece = fc.constantFrom(
    'for=',
    'For="',
    '"',
    '\\',
    ',',
    ';',
    ' ',
    '[',
    ']',
    ':',
    '::1',
    '1.2.3.4',
    '%eth0',
    '=',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 200 }).map(parts => parts.join('')),
  );
  fc.assert(
    fc.property(text, text, (list, elements) => {
      const hops = [...hopsOf(list, elements)];
      assert.ok(hops.length <= 32);
      for (const hop of hops) if (hop !== undefined) assert.equal(plainAddress(hop), hop);
    }),
  );
});

test('a client at the end of a list that we write is found again', () => {
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6().filter(text => !text.includes('.') && plainAddress(text)?.includes(':') === true),
  );
  fc.assert(
    fc.property(fc.array(fc.string().filter(text => !/[",\\]/.test(text))), address, (before, client) => {
      const plain = plainAddress(client);
      assert.equal([...hopsOf([...before, ` ${client} `].join(','), '')][0], plain);
      const node = client.includes(':') ? `"[${client}]:1"` : client;
      assert.equal([...hopsOf('', [...before, `for=${node};by=_x`].join(','))][0], plain);
    }),
  );
});
