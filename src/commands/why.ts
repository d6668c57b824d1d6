import type { ExplainedObject, Explanation } from '../admin/explanation.js';
import type { AdminClient } from './admin-client.js';
import { bytes, duration } from './figures.js';

/**
 * Tells why a running edge answers a URL as it does.
 * @throws EdgeError
 */
export async function why(client: AdminClient, url: string, write: (text: string) => void): Promise<void> {
  const found = (await client.json('POST', '/why', { url })) as Explanation;
  const rows: [string, string][] = [
    ['route', found.routes.length === 0 ? 'none' : found.routes.join(', ')],
    ['access', found.access ?? 'open to all'],
    ...found.objects.flatMap(rowsOf),
  ];
  for (const [name, text] of rows) write(`${name.padEnd(11)}${text}\n`);
}

function rowsOf({ path, origin, asked, key = '', ...object }: ExplainedObject): [string, string][] {
  const rows: [string, string][] = [['object', path]];
  if (origin === undefined) return [...rows, ['origin', 'none is configured for it']];
  return [...rows, ['origin', `${origin} ${asked}`], ['key', key], ...storedRows(object)];
}

function storedRows({ stored, status, vary, freshness, age, lifetime, id, size, blocks }: Partial<ExplainedObject>) {
  const rows: [string, string][] = [];
  if (stored === 'by fields') rows.push(['freshness', `answers differ by ${vary?.join(', ')}`]);
  else if (stored === 'refusal') rows.push(['freshness', `a refusal of status ${status} is remembered`]);
  else if (stored === 'never') rows.push(['freshness', 'answers are not to be stored'], ['tier', 'origin']);
  else if (stored === 'no') rows.push(['freshness', 'nothing is known of it'], ['tier', 'origin']);
  else rows.push(['freshness', `${freshness}, ${duration(age ?? 0)} old, good for ${duration(lifetime ?? 0)}`]);
  if (id !== undefined) rows.push(['id', id]);
  if (blocks !== undefined)
    rows.push([
      'tier',
      `memory ${blocks.memory}, disk ${blocks.disk}, origin ${blocks.origin} blocks of ${bytes(size ?? 0)}`,
    ]);
  return rows;
}
