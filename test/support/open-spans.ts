import { openSection } from '../../src/virtual-file/sections.js';
import { lengthOf } from '../../src/virtual-file/slice.js';
import type { Span } from '../../src/virtual-file/span.js';
import { render } from './virtual.js';

/** The spans with all sections made, in order. */
async function openAll(spans: readonly Span[]): Promise<Span[]> {
  const opened: Span[] = [];
  for (const span of spans) {
    if (span.kind === 'sectioned') opened.push(...(await openAll(await openSection(span, 0))));
    else opened.push(span);
  }
  return opened;
}

/** The bytes that spans of an object stand for, sections included. */
export async function bytesOf(spans: readonly Span[], object: Uint8Array): Promise<Buffer> {
  const fields = { etag: '""', lastModified: undefined, contentType: 'video/mp4', seekActual: undefined };
  return render({ ...fields, size: lengthOf(spans), spans: await openAll(spans) }, object);
}
