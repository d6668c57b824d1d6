import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientKey } from '../../../src/base/client-key.js';

test('a client is an IPv4 address, or an IPv6 network of 64 bits', () => {
  const cases: readonly [address: string, key: string][] = [
    ['203.0.113.9', '203.0.113.9'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['2001:db8:0:0:ffff::2', '2001:db8:0:0'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['::1', '0:0:0:0'],
    ['fe80::', 'fe80:0:0:0'],
    ['1:2:3::', '1:2:3:0'],
    ['1::5:6:7:8:9', '1:0:0:5'],
    ['', ''],
  ];
  for (const [address, key] of cases) assert.equal(clientKey(address), key, address);
});
