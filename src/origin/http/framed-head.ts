/** Bytes of a body's length that are looked at: more is no length that a number can tell. */
const DIGITS_MAX = 15;
const BEGINNING = /^HTTP\/1\.[01] 20[06][ \r]/;
/** Folded fields, and line ends that are none: what they mean is the parser's to say. */
const ODD_LINES = /\r\n[ \t]|[^\r]\n|\r[^\n]/;
const LENGTH_FIELD = '\r\ncontent-length';
const ZERO = 0x30;
const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;
const CR = 0x0d;

/** The head of an answer whose body has a length. */
export interface FramedHead {
  /** Bytes of the head. */
  readonly size: number;
  /** Bytes of the body, at least 1, and how the head says it. */
  readonly bodySize: number;
  readonly bodySizeText: string;
}

/**
 * Looks for the head of a successful answer whose body is as long as its one Content-Length says, and makes it say 1:
 * who is given that head waits for one byte, while the body itself may go another way. Anything unusual is left as it
 * is.
 * @param chunk memory of its own; what may be the beginning of an answer
 * @returns undefined, and nothing was changed, when it is no such head, or not all of one
 */
export function frameHead(chunk: Buffer): FramedHead | undefined {
  const end = chunk.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const text = chunk.toString('latin1', 0, end + 2);
  if (!BEGINNING.test(text) || ODD_LINES.test(text)) return undefined;
  const lower = text.toLowerCase();
  const field = lower.indexOf(LENGTH_FIELD);
  if (field < 0 || lower.includes(LENGTH_FIELD, field + 1) || lower.includes('\r\ntransfer-encoding')) return undefined;
  let from = field + LENGTH_FIELD.length;
  if (chunk[from] !== COLON) return undefined;
  for (from++; isBlank(chunk[from]!); from++);
  let to = from;
  while (isDigit(chunk[to]!)) to++;
  if (to === from || to - from > DIGITS_MAX || chunk[to] !== CR) return undefined;
  const bodySizeText = text.slice(from, to);
  const bodySize = Number(bodySizeText);
  if (bodySize === 0) return undefined;
  chunk.fill(ZERO, from, to);
  chunk[to - 1] = ZERO + 1;
  return { size: end + 4, bodySize, bodySizeText };
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}
