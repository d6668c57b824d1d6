import { relative } from 'node:path';

/**
 * Reporter that tells the files of tests that have failed, a path a line.
 * @param {AsyncIterable<{ type: string, data: any }>} events of node's test runner
 */
export default async function* report(events) {
  const told = new Set();
  for await (const { type, data } of events) {
    if (type !== 'test:fail' || data.file === undefined || told.has(data.file)) continue;
    told.add(data.file);
    yield `${relative(process.cwd(), data.file)}\n`;
  }
}
