import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Pacer } from '../../../src/delivery/pacer.js';
import { pacingOf } from '../../../src/delivery/pacing.js';
import { TokenBucket } from '../../../src/delivery/token-bucket.js';

const KIB = 1024;
const answer = (bitrate: number | undefined | Promise<number | undefined>, connection = '', client = 'a') => ({
  connection,
  client,
  bitrate: () => bitrate,
});

describe('an account of bytes', () => {
  it('fills up at its rate, to its burst', () => {
    const bucket = new TokenBucket(1000, 5000, 0);
    assert.equal(bucket.available(0), 5000);
    bucket.spend(5000);
    assert.equal(bucket.available(1000), 1000);
    assert.equal(bucket.until(3000, 1000), 2000);
    assert.equal(bucket.until(9000, 1000), 4000, 'it never holds more than its burst');
    bucket.spend(2000);
    assert.equal(bucket.available(1000), -1000);
    assert.equal(bucket.available(100_000), 5000);
  });
});

describe('pacing', () => {
  it('is nothing where it is off', () => {
    const pacer = new Pacer();
    assert.equal(pacingOf({ rate: 'off' }, pacer), undefined);
    assert.equal(pacingOf(undefined, pacer), undefined);
    assert.ok(pacingOf({ rate: 'off', client: 1 }, pacer));
    assert.ok(pacingOf({ rate: 'off', total: 1 }, pacer));
  });

  it('sends a burst of the film’s time, then goes by its bitrate', async () => {
    const pacing = pacingOf({ rate: { times: 2 }, burst: 10_000 }, new Pacer())!;
    const pace = pacing.begin(answer(100 * KIB));
    assert.equal(pace.allowance(2 ** 30), 1000 * KIB);
    pace.spend(1000 * KIB);
    assert.equal(pace.allowance(2 ** 30), 0);
    // A film whose index is still being read begins with a part of that.
    const later = Promise.resolve(100 * KIB);
    const early = pacing.begin(answer(later));
    assert.equal(early.allowance(2 ** 30), 1024 * KIB);
    early.spend(512 * KIB);
    await later;
    await new Promise(setImmediate);
    const left = early.allowance(2 ** 30);
    assert.ok(left >= 488 * KIB && left < 600 * KIB, `${left}`);
    // What is no film goes as it can.
    assert.equal(pacing.begin(answer(undefined)).allowance(2 ** 30), 2 ** 30);
    const broken = pacing.begin(answer(Promise.reject(new Error('unreadable'))));
    await new Promise(setImmediate);
    assert.equal(broken.allowance(2 ** 30), 2 ** 30);
  });

  it('goes on where a connection left off, and begins anew on another', () => {
    const pacing = pacingOf({ rate: { bytes: 1000 }, after: 1024 * KIB }, new Pacer())!;
    pacing.begin(answer(undefined, '7 a film')).spend(1024 * KIB);
    assert.equal(pacing.begin(answer(undefined, '7 a film')).allowance(2 ** 30), 0);
    assert.equal(pacing.begin(answer(undefined, '7 a other')).allowance(2 ** 30), 1024 * KIB);
    assert.equal(pacing.begin(answer(undefined, '8 a film')).allowance(2 ** 30), 1024 * KIB);
    assert.equal(pacing.begin(answer(undefined)).allowance(2 ** 30), 1024 * KIB);
  });

  it('bounds the answers of a client together, and those of all', () => {
    const pacing = pacingOf({ rate: 'off', client: 256 * KIB, total: 400 * KIB }, new Pacer())!;
    const [first, second, other] = ['a', 'a', 'b'].map(client => pacing.begin(answer(undefined, '', client)));
    assert.equal(first!.allowance(2 ** 30), 256 * KIB);
    first!.spend(200 * KIB);
    assert.equal(second!.allowance(2 ** 30), 0, 'less than a turn is worth');
    assert.ok(second!.allowance(10 * KIB) >= 10 * KIB, 'but for a small rest');
    const left = other!.allowance(2 ** 30);
    assert.ok(left >= 200 * KIB && left <= 256 * KIB, `${left}`);
  });

  it('wakes who waits, once, unless they take it back', async () => {
    const pacer = new Pacer();
    const woken: string[] = [];
    const all = new Promise<void>(resolve => {
      const paced = (name: string) => ({
        paced() {
          woken.push(name);
          if (name === 'late') resolve();
        },
      });
      pacer.wait(paced('late'), 120);
      pacer.wait(paced('soon'), 1);
      pacer.wait(paced('never'), 30)();
      pacer.wait({ paced: () => void pacer.wait(paced('again'), 1) }, 1);
    });
    assert.equal(pacer.waiting, 3);
    await all;
    assert.deepEqual(woken.sort(), ['again', 'late', 'soon']);
    assert.equal(pacer.waiting, 0);
  });
});
