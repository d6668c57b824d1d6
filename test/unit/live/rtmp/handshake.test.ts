import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { Handshake } from '../../../../src/live/rtmp/handshake.js';

const CLIENT = Buffer.from('Genuine Adobe Flash Player 001');
const SERVER = Buffer.from('Genuine Adobe Flash Media Server 001');

function hmac(key: Buffer, ...parts: Buffer[]): Buffer {
  return createHmac('sha256', key).update(Buffer.concat(parts)).digest();
}

/** Offset of the digest in a packet whose sum lies at `sumAt`. */
function digestAt(packet: Buffer, sumAt: number): number {
  return sumAt + 4 + ([...packet.subarray(sumAt, sumAt + 4)].reduce((sum, byte) => sum + byte, 0) % 728);
}

function signedC1(sumAt: number): Buffer {
  const c1 = randomBytes(1536);
  c1.writeUInt32BE(0x80000702, 4);
  const at = digestAt(c1, sumAt);
  hmac(CLIENT, c1.subarray(0, at), c1.subarray(at + 32)).copy(c1, at);
  return c1;
}

/** Shakes hands in pieces of `piece` bytes; what the server has said after C1, and after all. */
function shake(c1: Buffer, piece = 4000) {
  const answers: Buffer[] = [];
  const handshake = new Handshake(bytes => answers.push(bytes));
  const bytes = Buffer.concat([Buffer.from([3]), c1, randomBytes(1536), Buffer.from('more')]);
  let taken = 0;
  for (let at = 0; at < bytes.length; at += piece) {
    taken += handshake.read(bytes.subarray(at, at + piece));
    assert.equal(answers.length, at + piece >= 1537 ? 1 : 0, 'answers at C1');
  }
  assert.equal(taken, 1 + 2 * 1536);
  assert.ok(handshake.isDone);
  const [answer = Buffer.alloc(0)] = answers;
  assert.equal(answer.length, 1 + 2 * 1536);
  assert.equal(answer[0], 3);
  return { kind: handshake.kind, s1: answer.subarray(1, 1537), s2: answer.subarray(1537) };
}

describe('Handshake', () => {
  for (const piece of [1, 7, 1536, 1537, 4000]) {
    it(`is simple with clients that sign nothing and answer anything (owncast 34), in pieces of ${piece} bytes`, () => {
      const c1 = randomBytes(1536);
      c1.fill(0, 4, 8);
      const { kind, s1, s2 } = shake(c1, piece);
      assert.equal(kind, 'simple');
      assert.equal(s1.readUInt32BE(4), 0);
      assert.deepEqual(s2, c1);
    });
  }

  for (const sumAt of [8, 772]) {
    it(`signs for a client whose digest is found by the bytes at ${sumAt}`, () => {
      const c1 = signedC1(sumAt);
      const { kind, s1, s2 } = shake(c1);
      assert.equal(kind, 'digest');
      const at = digestAt(s1, sumAt);
      assert.deepEqual(s1.subarray(at, at + 32), hmac(SERVER, s1.subarray(0, at), s1.subarray(at + 32)));
      const secret = Buffer.from('f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae', 'hex');
      const from = digestAt(c1, sumAt);
      const key = hmac(Buffer.concat([SERVER, secret]), c1.subarray(from, from + 32));
      assert.deepEqual(s2.subarray(1504), hmac(key, s2.subarray(0, 1504)));
    });
  }

  it('is simple with a client that has a version and no signature', () => {
    const c1 = randomBytes(1536);
    c1.writeUInt32BE(0x09007c02, 4);
    const { kind, s2 } = shake(c1);
    assert.equal(kind, 'simple');
    assert.deepEqual(s2, c1);
  });

  const strangers: [name: string, first: number, found: RegExp][] = [
    ['RTMPE', 6, /RTMPE/],
    ['TLS', 0x16, /TLS/],
    ['HTTP', 0x47, /HTTP/],
    ['anything', 0, /found 0$/],
  ];
  for (const [name, first, found] of strangers) {
    it(`refuses ${name} at the first byte`, () => {
      assert.throws(() => new Handshake(() => {}).read(Buffer.from([first])), { reason: 'protocol', message: found });
    });
  }
});
