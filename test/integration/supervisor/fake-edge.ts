import { afterEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Edge, type EdgeOptions } from '../../support/edge.js';

/** TypeScript is read as this process reads it: by tsx, or as `npm test` has compiled it. */
const MAIN = fileURLToPath(new URL('fake-edge-main.ts', import.meta.url));

/** Edges of the running test. What a failed test leaves behind would keep its file from ending. */
const running = new Set<Edge>();
afterEach(async () => {
  for (const edge of running) await edge.killAll();
  running.clear();
});

/** Starts an edge with two fake workers, unless told otherwise, and waits until it is ready. */
export async function startFakeEdge(options: EdgeOptions = {}): Promise<Edge> {
  const edge = await launchFakeEdge(options);
  await edge.ready();
  return edge;
}

/** The same, without waiting. */
export async function launchFakeEdge(options: EdgeOptions = {}): Promise<Edge> {
  const edge = await Edge.launch({ workers: 2, ...options, entry: [...process.execArgv, MAIN] });
  running.add(edge);
  return edge;
}
