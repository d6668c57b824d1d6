/** The dashboard: shows `/stats` and rates, which are differences between two answers. */
import { byId, bytes, count, milliseconds, percent, table, tile, watch } from './page.mjs';

function show(stats, last, seconds) {
  const { totals, workers } = stats;
  const rate = read => (last === undefined ? 0 : Math.max(0, (read(totals) - read(last.totals)) / seconds));
  const requests = rate(each => each.requests);
  const sent = rate(each => each.responseBytes);
  const fetched = rate(each => Object.values(each.origins).reduce((sum, origin) => sum + origin.bytes, 0));
  byId('about').textContent =
    `${stats.version} · port ${stats.listen.port} · ${stats.ready ? 'ready' : 'not ready'} · up ${stats.uptimeSeconds} s · generation ${stats.generation}`;
  byId('tiles').replaceChildren(
    tile('Requests', `${count.format(requests)} /s`, requests),
    tile('Sent', `${bytes(sent)}/s`, sent),
    tile('From origins', `${bytes(fetched)}/s`, fetched),
    tile('Block hit ratio', percent(totals.hitRatio)),
    tile('Answers under way', count.format(totals.openResponses), totals.openResponses),
    tile('First byte p50', milliseconds(totals.ttfb.p50)),
    tile('First byte p99', milliseconds(totals.ttfb.p99)),
    tile('Seek plan p99', milliseconds(totals.seekPlan.p99)),
  );
  byId('tables').replaceChildren(
    table(
      'Cache',
      ['Tier', 'Held', 'Capacity', 'Filled', 'Blocks found', 'Bad checksums'],
      Object.entries(totals.cache).map(([tier, { bytes: held, capacity }]) => [
        tier,
        bytes(held),
        bytes(capacity),
        percent(capacity === 0 ? undefined : held / capacity),
        count.format(totals.lookups[tier] ?? 0),
        totals.checksumFailures[tier] ?? 0,
      ]),
    ),
    table(
      'Origins',
      ['Name', 'Requests', 'Failures', 'Bytes'],
      Object.entries(totals.origins).map(([name, origin]) => [
        name,
        count.format(origin.requests),
        count.format(origin.failures),
        bytes(origin.bytes),
      ]),
    ),
    table(
      `Workers (${totals.workerRestarts} replaced after a death)`,
      ['Number', 'Generation', 'Process', 'State', 'Up'],
      workers.map(worker => [worker.index, worker.generation, worker.pid, worker.state, `${worker.uptimeSeconds} s`]),
    ),
    table(
      'Answers',
      ['Status', 'Number'],
      Object.entries(totals.requestsByClass).map(([status, n]) => [status, count.format(n)]),
    ),
  );
}

watch('/stats', show);
