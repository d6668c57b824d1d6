import { type Amf0Input, Amf0Reader, type Amf0Value, Amf0Writer } from '../../media/flv/amf0.js';
import { readAmf3Scalar } from './amf3-scalar.js';
import { RtmpError } from './rtmp-error.js';

/** Most arguments of a command that are looked at; none that we know has more than four. */
const ARGUMENTS_MAX = 8;
/** Marker in AMF0 behind which a value in AMF3 stands. */
const AMF3_VALUE = 0x11;

/** A command (RTMP 1.0, section 7.2). */
export interface RtmpCommand {
  readonly name: string;
  /** Number by which the answer tells what it answers; 0 when none is wanted. */
  readonly transaction: number;
  /** What follows: the command object, or null, first. */
  readonly args: readonly Amf0Value[];
}

/**
 * Reads the payload of a command message. What follows a value that can't be read is left out.
 * @throws RtmpError when it does not begin with a name
 */
export function readCommand(payload: Uint8Array): RtmpCommand {
  const [name, transaction, ...args] = readValues(payload);
  if (typeof name !== 'string') throw new RtmpError('protocol', 'expected a command that begins with its name');
  return { name, transaction: typeof transaction === 'number' ? transaction : 0, args };
}

function readValues(payload: Uint8Array): Amf0Value[] {
  const reader = new Amf0Reader(payload);
  const values: Amf0Value[] = [];
  try {
    for (let at = 0; at < payload.length && values.length < 2 + ARGUMENTS_MAX; ) {
      if (payload[at] === AMF3_VALUE) {
        const { value, end } = readAmf3Scalar(payload, at + 1);
        values.push(value);
        at = end;
      } else {
        values.push(reader.value(at));
        at = reader.skip(at);
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return values;
}

/** The payload of a command message. */
export function writeCommand(name: string, transaction: number, ...args: readonly Amf0Input[]): Uint8Array {
  const writer = new Amf0Writer().string(name).number(transaction);
  for (const arg of args) writer.value(arg);
  return writer.finish();
}
