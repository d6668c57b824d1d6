import { isFieldName, isFieldValue } from '../../../base/field-line.js';

/** How the end of a body is found (RFC 9112 section 6.3): by its length, or by its chunks. */
export type Framing = number | 'chunked';

/** Head of an answer (RFC 9112 section 4). */
export interface AnswerHead {
  readonly status: number;
  /** Names in lower case; a repeated field is a list. */
  readonly fields: Readonly<Record<string, string | string[]>>;
  readonly framing: Framing;
  /** The connection carries no further answer. */
  readonly isLast: boolean;
}

const START = /^HTTP\/1\.1 ([2-5]\d\d) [\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^\d{1,15}$/;

/**
 * Reads the head of an edge's answer to a GET. Nothing but what an edge says is taken: no folded lines, no bare line
 * ends, no body that ends with the connection.
 * @param text without the empty line, a character for each octet
 * @returns undefined when it is none
 */
export function parseAnswerHead(text: string): AnswerHead | undefined {
  const lines = text.split('\r\n');
  const start = START.exec(lines[0]!);
  if (start === null) return undefined;
  const status = Number(start[1]);
  const fields: Record<string, string | string[]> = Object.create(null);
  for (let at = 1; at < lines.length; at++) {
    const line = lines[at]!;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (!isFieldName(name) || !isFieldValue(value)) return undefined;
    const before = fields[name];
    fields[name] = before === undefined ? value : [before, value].flat();
  }
  const framing = framingOf(status, fields['content-length'], fields['transfer-encoding']);
  if (framing === undefined) return undefined;
  return { status, fields, framing, isLast: fields.connection !== undefined && fields.connection !== 'keep-alive' };
}

function framingOf(
  status: number,
  length: string | string[] | undefined,
  coding: string | string[] | undefined,
): Framing | undefined {
  if (status === 204 || status === 304) return 0;
  if (coding !== undefined) return coding === 'chunked' && length === undefined ? 'chunked' : undefined;
  return typeof length === 'string' && LENGTH.test(length) ? Number(length) : undefined;
}
