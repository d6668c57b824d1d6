const [UNDEFINED, NULL, FALSE, TRUE, INTEGER, DOUBLE, STRING] = [0, 1, 2, 3, 4, 5, 6];

/**
 * Reads a value of AMF3 (Adobe 2013) that has no parts: what clients that speak AMF3 put into commands beside objects.
 * @returns the value, and the offset behind it
 * @throws RangeError when it is another one, or goes on beyond the bytes
 */
export function readAmf3Scalar(
  bytes: Uint8Array,
  at: number,
): { value: null | boolean | number | string; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (view.getUint8(at)) {
    case UNDEFINED:
    case NULL:
      return { value: null, end: at + 1 };
    case FALSE:
      return { value: false, end: at + 1 };
    case TRUE:
      return { value: true, end: at + 1 };
    case INTEGER: {
      const { value, end } = readU29(view, at + 1);
      return { value: (value << 3) >> 3, end };
    }
    case DOUBLE:
      return { value: view.getFloat64(at + 1), end: at + 9 };
    case STRING: {
      const { value, end } = readU29(view, at + 1);
      const next = end + (value >> 1);
      // An even number refers to a text before.
      if ((value & 1) === 0 || next > bytes.length) throw new RangeError('AMF3 text that is not there');
      return { value: new TextDecoder().decode(bytes.subarray(end, next)), end: next };
    }
    default:
      throw new RangeError('AMF3 value that has parts');
  }
}

/** A number of 29 bits in one to four bytes (section 1.3.1). */
function readU29(view: DataView, start: number): { value: number; end: number } {
  let value = 0;
  for (let at = start; at < start + 3; at++) {
    const byte = view.getUint8(at);
    value = (value << 7) | (byte & 0x7f);
    if (byte < 0x80) return { value, end: at + 1 };
  }
  return { value: (value << 8) | view.getUint8(start + 3), end: start + 4 };
}
