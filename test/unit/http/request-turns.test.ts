import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Account } from '../../../src/http/node/account.js';
import { RequestTurns } from '../../../src/http/node/request-turns.js';

const immediate = () => new Promise(resolve => setImmediate(resolve));
/** Milliseconds that a request takes by the clock of these tests, of a share of 4. */
const WORK = 1.5;

/** Turns by a clock that stands but for the work of requests. */
function turnsOfRequests() {
  const time = { now: 1000 };
  const turns = new RequestTurns(() => time.now);
  const answered: string[] = [];
  let waiting = 0;
  const take = (account: Account, name: string, isInStore = false, then = () => {}) => {
    const who = {
      answer() {
        answered.push(name);
        time.now += WORK;
        then();
      },
      waits(change: number) {
        waiting += change;
      },
    };
    turns.take(account, who, isInStore);
  };
  const untilAllAreAnswered = async () => {
    while (waiting > 0) await immediate();
  };
  return { time, answered, take, waiting: () => waiting, untilAllAreAnswered };
}

test('requests are answered at once until the share of the turn is used up, the rest in later turns', async () => {
  const { answered, take, waiting } = turnsOfRequests();
  const account = new Account();
  for (const name of 'abcdefgh') take(account, name);
  assert.deepEqual([answered.join(''), waiting()], ['abc', 5]);
  await immediate();
  assert.deepEqual([answered.join(''), waiting()], ['abcdef', 2]);
  take(account, 'i');
  assert.equal(answered.join(''), 'abcdef', 'nobody goes before those who wait');
  await immediate();
  assert.deepEqual([answered.join(''), waiting()], ['abcdefghi', 0]);
  await immediate();
  take(account, 'j');
  assert.equal(answered.at(-1), 'j');
});

test('whoever has had least of late comes first, and a client has its turns in order', async () => {
  const { answered, take, untilAllAreAnswered } = turnsOfRequests();
  const [many, one] = [new Account(), new Account()];
  for (const name of 'abcdef') take(many, name);
  for (const name of '12') take(one, name);
  await untilAllAreAnswered();
  // The line of the first had begun to wait before the other one came, with 4.5 ms that it had spent.
  assert.equal(answered.join(''), 'abc12def');
});

test('what was spent is forgotten by halves, so that whoever waits has his turn', async () => {
  const { time, answered, take, untilAllAreAnswered } = turnsOfRequests();
  const heavy = new Account();
  heavy.charge(1000);
  for (const name of 'abc') take(new Account(), name);
  take(heavy, 'heavy');
  time.now += 2000;
  for (const name of 'de') take(new Account(), name);
  await untilAllAreAnswered();
  assert.ok(answered.indexOf('heavy') < answered.indexOf('d'), answered.join(' '));
  const spent = heavy.spent(time.now);
  assert.ok(spent > 0 && spent < 10, `${spent}`);
});

test('requests in store wait for those that are asked one by one, of the same client too', async () => {
  const { answered, take, untilAllAreAnswered } = turnsOfRequests();
  const [storing, asking] = [new Account(), new Account()];
  for (const name of 'abc') take(asking, name);
  for (const name of 'ABC') take(storing, name, true);
  take(storing, 'x');
  // It has spent more, but less than a second.
  for (const name of 'yz') take(asking, name);
  await untilAllAreAnswered();
  assert.equal(answered.join(''), 'abcxyzABC');
});

test('what is asked within an answer has its turn behind it, and a defect stops nobody', async () => {
  const { answered, take, untilAllAreAnswered } = turnsOfRequests();
  const account = new Account();
  take(account, 'a', false, () => {
    take(account, 'b', true, () => answered.push('end of b'));
    answered.push('end of a');
  });
  await untilAllAreAnswered();
  assert.deepEqual(answered, ['a', 'end of a', 'b', 'end of b']);
  assert.throws(() =>
    take(account, 'c', false, () => {
      throw new Error('a defect');
    }),
  );
  take(account, 'd');
  await untilAllAreAnswered();
  assert.deepEqual(answered.slice(-2), ['c', 'd']);
});
