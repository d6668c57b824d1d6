import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requestRatesOf } from '../../../src/http/request-rates.js';

describe('requests a second of a client', () => {
  const settings = { rate: 10, byAddress: [], loopback: false };

  it('are bounded after a burst, and said when they may come', () => {
    const rates = requestRatesOf(settings)!;
    for (let i = 0; i < 20; i++) assert.equal(rates.tooSoon('192.0.2.1', 0), undefined);
    assert.equal(rates.tooSoon('192.0.2.1', 0), 1);
    assert.equal(rates.tooSoon('192.0.2.2', 0), undefined, 'of each client');
    assert.equal(rates.tooSoon('192.0.2.1', 50), 1);
    assert.equal(rates.tooSoon('192.0.2.1', 100), undefined);
    assert.equal(rates.tooSoon('192.0.2.1', 100), 1, 'those that were refused do not count');
  });

  it('are not bounded on this machine unless that is wanted, nor of nobody', () => {
    for (const client of ['127.0.0.1', '::1', ''])
      for (let i = 0; i < 100; i++) assert.equal(requestRatesOf(settings)!.tooSoon(client, 0), undefined);
    const rates = requestRatesOf({ ...settings, loopback: true })!;
    for (let i = 0; i < 20; i++) rates.tooSoon('127.0.0.1', 0);
    assert.equal(rates.tooSoon('127.0.0.1', 0), 1);
  });

  it('are others in some networks', () => {
    const byAddress = [
      { network: '10.1.0.0/16', rate: undefined },
      { network: '10.0.0.0/8', rate: 1 },
    ];
    const rates = requestRatesOf({ byAddress, loopback: false })!;
    for (let i = 0; i < 100; i++) assert.equal(rates.tooSoon('10.1.0.1', 0), undefined);
    for (let i = 0; i < 10; i++) assert.equal(rates.tooSoon('10.2.0.1', 0), undefined);
    assert.equal(rates.tooSoon('10.2.0.1', 0), 1);
    for (let i = 0; i < 100; i++) assert.equal(rates.tooSoon('192.0.2.1', 0), undefined);
  });

  it('cost nothing where nothing bounds them', () => {
    assert.equal(requestRatesOf({ byAddress: [], loopback: true }), undefined);
    assert.equal(requestRatesOf(undefined), undefined);
  });
});
