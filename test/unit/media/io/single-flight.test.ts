import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EdgeError } from '../../../../src/base/errors.js';
import { perform, type Reading, settle } from '../../../../src/media/io/reading.js';
import { SingleFlight } from '../../../../src/media/io/single-flight.js';

/** Attempts that end when the test says so, in rounds: all that are under way at a time. */
class Rounds {
  made = 0;
  #open: (() => void)[] = [];

  *attempt(result: () => string): Reading<string> {
    this.made++;
    yield* settle(new Promise<void>(resolve => this.#open.push(resolve)));
    return result();
  }

  /** Ends what is under way; how many that were. */
  async end(): Promise<number> {
    const open = this.#open;
    this.#open = [];
    for (const resolve of open) resolve();
    for (let i = 0; i < 20; i++) await Promise.resolve();
    return open.length;
  }
}

function fail(): never {
  throw new Error('the origin is silent');
}

it('makes a thing once for all who wait', async () => {
  const flight = new SingleFlight<string>();
  const rounds = new Rounds();
  const all = Array.from({ length: 5 }, () => perform(flight.get('a', () => rounds.attempt(() => 'made'))));
  assert.equal(await rounds.end(), 1);
  assert.deepEqual(await Promise.all(all), Array(5).fill('made'));
  assert.equal(rounds.made, 1);
});

it('nobody waits for more than two failures of others, however many wait', async () => {
  const flight = new SingleFlight<string>();
  const rounds = new Rounds();
  const count = 20;
  const all = Array.from({ length: count }, () =>
    Promise.resolve(perform(flight.get('a', () => rounds.attempt(fail)))).catch((error: Error) => error.message),
  );
  assert.equal(await rounds.end(), 1);
  assert.equal(await rounds.end(), 1);
  assert.equal(await rounds.end(), count - 2);
  assert.deepEqual(await Promise.all(all), Array(count).fill('the origin is silent'));
  const later = perform(flight.get('a', () => rounds.attempt(() => 'made')));
  assert.equal(await rounds.end(), 1);
  assert.equal(await later, 'made');
});

it('whoever comes behind a failure makes it with a source of its own', async () => {
  const flight = new SingleFlight<string>();
  const rounds = new Rounds();
  let left = 1;
  const result = () => (left-- > 0 ? fail() : 'made');
  const all = Array.from({ length: 4 }, () =>
    Promise.resolve(perform(flight.get('a', () => rounds.attempt(result)))).catch((error: Error) => error.message),
  );
  await rounds.end();
  assert.equal(await rounds.end(), 1);
  assert.deepEqual(await Promise.all(all), ['the origin is silent', 'made', 'made', 'made']);
});

it('nobody who waited asks an origin again that was silent', async () => {
  const flight = new SingleFlight<string>();
  const rounds = new Rounds();
  const silent = () => {
    throw new EdgeError('origin_timeout', 'the origin did not answer in time');
  };
  const all = Array.from({ length: 20 }, () =>
    Promise.resolve(perform(flight.get('a', () => rounds.attempt(silent)))).catch((error: EdgeError) => error.code),
  );
  assert.equal(await rounds.end(), 1);
  assert.deepEqual(await Promise.all(all), Array(20).fill('origin_timeout'));
  assert.equal(rounds.made, 1);
  const later = perform(flight.get('a', () => rounds.attempt(() => 'made')));
  assert.equal(await rounds.end(), 1);
  assert.equal(await later, 'made');
});
