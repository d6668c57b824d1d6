import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, type TestContext, test } from 'node:test';
import { Edge } from '../../support/edge.js';
import { type Fault, FaultOrigin, faults } from '../../support/fault-origin.js';
import { until } from '../../support/until.js';

/** Type of a filesystem in memory (statfs). */
const TMPFS = 0x01021994;
const KIB = 1024;
/** URLs of each kind. */
const COUNT = 200;
const STORED = { 'Cache-Control': 'max-age=3600' };

/** Bytes that what the edge learns makes its processes write to the catalog's disk, as the kernel counts them. */
suite('bytes written to the disk of the catalog', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-writes-'));
  const isInMemory = statfsSync(folder).type === TMPFS;
  let origin: FaultOrigin;
  let edge: Edge;
  let sentinels = 0;
  before(async () => {
    origin = await FaultOrigin.start();
    const passing = `[{name: main, url: "${origin.url}", retries: 0, redirects: {mode: pass}}]`;
    edge = await Edge.start({ origin: passing, settings: `catalog: {path: ${folder}}` });
    await written();
  });
  after(async () => {
    await edge.end();
    await origin.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Waits until all that was to be written has been: heads go to the disk in the order in which they came. */
  async function written(): Promise<void> {
    const path = `/sentinel-${++sentinels}.mp4`;
    origin.put(path, { size: 1000, headers: STORED });
    assert.equal((await edge.get(path)).status, 200);
    await until('the head on disk', () => readFileSync(join(folder, 'catalog.mdb')).includes(path));
  }

  function bytesWritten(): number {
    return edge.pids
      .map(pid => Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]))
      .reduce((sum, bytes) => sum + bytes, 0);
  }

  /** KiB for each of `COUNT` URLs, the commit of the sentinel behind them included. */
  async function cost(paths: (index: number) => string, status: number): Promise<number> {
    const start = bytesWritten();
    for (let index = 0; index < COUNT; index++) {
      // Twice: what was remembered is answered from memory.
      for (const _ of [1, 2]) assert.equal((await edge.get(paths(index))).status, status);
    }
    await written();
    return (bytesWritten() - start) / COUNT / KIB;
  }

  const refusals: Record<string, readonly [fault: Fault | undefined, status: number]> = {
    'a 404': [undefined, 404],
    'a 404 that may be stored': [faults.status(404, STORED), 404],
    'a 410': [faults.status(410, STORED), 410],
    'a 403': [faults.status(403), 403],
    'a 500': [faults.status(500), 500],
    'a redirect': [faults.redirect('/elsewhere', 301), 301],
    'an answer that must not be stored': [faults.status(404, { 'Cache-Control': 'no-store' }), 404],
  };
  for (const [what, [fault, status]] of Object.entries(refusals)) {
    test(`${what}: next to nothing`, async (t: TestContext) => {
      if (isInMemory) return t.skip('the folder of temporary files is in memory');
      const laid = fault && origin.fault(fault, { when: ({ path }) => path.startsWith('/refused/') });
      const each = await cost(index => `/refused/${what.replaceAll(' ', '-')}/${index}.mp4`, status);
      laid?.remove();
      t.diagnostic(`${each.toFixed(2)} KiB`);
      assert.ok(each <= 2, `${each} KiB`);
    });
  }

  test('a small miss: at most 16 KiB', async (t: TestContext) => {
    if (isInMemory) return t.skip('the folder of temporary files is in memory');
    const path = (index: number) => `/small/${index}.mp4`;
    for (let index = 0; index < COUNT; index++) origin.put(path(index), { size: 10_000, headers: STORED });
    const each = await cost(path, 200);
    t.diagnostic(`${each.toFixed(2)} KiB`);
    assert.ok(each > 0 && each <= 16, `${each} KiB`);
  });
});
