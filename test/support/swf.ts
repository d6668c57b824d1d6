/**
 * Makes a Flash film that does one thing: it plays an FLV address. File format: Adobe SWF 19; actions are those of
 * AVM1.
 */

function u16(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 2);
  for (const [i, number] of numbers.entries()) bytes.writeUInt16LE(number, i * 2);
  return bytes;
}

const text = (value: string) => Buffer.from(`${value}\0`);

function tag(code: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  return Buffer.concat([u16(code * 64 + 63), length, body]);
}

/** Puts strings, small whole numbers and null on the stack. */
function push(...values: (string | number | null)[]): Buffer {
  const parts = values.map(value => {
    if (value === null) return Buffer.from([2]);
    return typeof value === 'string'
      ? Buffer.concat([Buffer.from([0]), text(value)])
      : Buffer.from([7, value, 0, 0, 0]);
  });
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([0x96]), u16(body.length), body]);
}

const [GET, SET, NEW, CALL, POP] = [0x1c, 0x1d, 0x40, 0x52, 0x17].map(action => Buffer.from([action])) as [
  ...[Buffer, Buffer, Buffer, Buffer, Buffer],
];
const variable = (name: string) => Buffer.concat([push(name), GET]);
const call = (argument: Buffer, object: string, method: string) =>
  Buffer.concat([argument, push(1), variable(object), push(method), CALL, POP]);

/** @param url of the FLV file, relative to the film or absolute */
export function playerFilm(url: string, width = 320, height = 180): Buffer {
  const actions = Buffer.concat([
    ...[push('connection', 0, 'NetConnection'), NEW, SET, call(push(null), 'connection', 'connect')],
    ...[push('stream'), variable('connection'), push(1, 'NetStream'), NEW, SET],
    ...[call(variable('stream'), 'screen', 'attachVideo'), call(push(url), 'stream', 'play')],
  ]);
  const bits = [width * 20, 0, height * 20].reduce(
    (sum, n) => sum + n.toString(2).padStart(16, '0'),
    `10000${'0'.repeat(16)}`,
  );
  const frame = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0').match(/.{8}/g)!;
  const body = Buffer.concat([
    Buffer.from(frame.map(byte => Number.parseInt(byte, 2))),
    u16(25 * 256, 1),
    tag(9, Buffer.from([0xff, 0, 0xff])),
    tag(60, u16(1, 0, width, height), Buffer.from([0, 0])),
    tag(26, Buffer.from([0x22]), u16(1, 1), text('screen')),
    tag(12, actions, Buffer.from([0])),
    tag(1),
    tag(0),
  ]);
  const head = Buffer.from('FWS\x08\0\0\0\0', 'latin1');
  head.writeUInt32LE(head.length + body.length, 4);
  return Buffer.concat([head, body]);
}
