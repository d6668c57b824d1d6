/**
 * The dashboard: shows `/stats` and rates, which are differences between two answers; charts of the past; films, errors
 * and certificates; forms to purge and prefetch.
 */
import { showCharts } from './charts.mjs';
import { showOperations } from './operations.mjs';
import {
  answerLink,
  byId,
  bytes,
  count,
  duration,
  element,
  filmLink,
  milliseconds,
  percent,
  table,
  tile,
  watch,
} from './page.mjs';

/** Errors and films that are shown. */
const SHOWN = 20;
const DAY = 86_400_000;

/** How long a certificate is good for. */
function validity(notAfter) {
  const days = Math.floor((notAfter - Date.now()) / DAY);
  const text = days < 0 ? 'expired' : `${days} days, until ${new Date(notAfter).toISOString().slice(0, 10)}`;
  return element('span', text, days < 14 ? 'error' : undefined);
}

/** Which of an origin's servers answer; those of one alone are not looked at. */
function serversOf({ servers = {} }) {
  const up = Object.entries(servers).map(([url, isUp]) => `${url} ${isUp ? 'up' : 'DOWN'}`);
  return up.join(', ') || '–';
}

function originTable({ origins }) {
  return table(
    'Origins',
    ['Name', 'Servers', 'Requests', 'Failures', 'Bytes'],
    Object.entries(origins).map(([name, origin]) => [
      name,
      serversOf(origin),
      count.format(origin.requests),
      count.format(origin.failures),
      bytes(origin.bytes),
    ]),
  );
}

/** Places that routes make different; none where there are no routes. */
function routeTable({ routes = [] }) {
  return table(
    'Routes',
    ['Host', 'Path', 'Requests', '4xx', '5xx', 'Sent'],
    routes.map(({ host, route, requests, refused, failed, bytes: sent }) => [
      route === 'none' ? 'no route' : host,
      route === 'none' ? '–' : route,
      count.format(requests),
      count.format(refused),
      count.format(failed),
      bytes(sent),
    ]),
  );
}

/** What is cached of origins that may have so much and no more. */
function quotaTable(quotas) {
  return table(
    'Quotas',
    ['Origin', 'Cached', 'Of', 'Filled', 'Gone since it was too much'],
    Object.entries(quotas).map(([origin, { bytes: held, quota, dropped }]) => [
      origin,
      bytes(held),
      bytes(quota),
      percent(held / quota),
      bytes(dropped),
    ]),
  );
}

function tablesOf({ totals, workers, services, windows, hottest }) {
  const { errors, certificates, quotas } = services;
  return [
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
    originTable(totals),
    totals.routes?.length > 1 && routeTable(totals),
    quotas && quotaTable(quotas),
    windows &&
      table(
        'Lately',
        ['Time', 'Requests', 'Errors', 'Hit ratio', 'First byte p50', 'p99', 'Origin p99', 'Seek plan p99'],
        Object.entries(windows).map(([name, { requests, errors: failed, hitRatio, ttfb, originTtfb, seekPlan }]) => [
          name,
          count.format(requests),
          count.format(failed),
          percent(hitRatio),
          milliseconds(ttfb?.p50),
          milliseconds(ttfb?.p99),
          milliseconds(originTtfb?.p99),
          milliseconds(seekPlan?.p99),
        ]),
      ),
    hottest?.length > 0 &&
      table(
        'Hottest films of the last hour',
        ['Film', 'Origin', 'Requests', 'Bytes'],
        hottest
          .slice(0, SHOWN)
          .map(({ path, origin, requests, bytes: sent }) => [
            filmLink(path),
            origin,
            count.format(requests),
            bytes(sent),
          ]),
      ),
    errors?.recent?.length > 0 &&
      table(
        'Answers that ended badly',
        ['When', 'What', 'URL', 'Status', 'Origin', 'Times'],
        errors.recent
          .slice(0, SHOWN)
          .map(({ time, text, reason, url, path, status, origin, count: times }) => [
            new Date(time).toLocaleTimeString(),
            [text, reason].filter(Boolean).join(': '),
            url ?? path ?? '–',
            status ?? '–',
            origin ?? '–',
            times ?? 1,
          ]),
      ),
    certificates?.length > 0 &&
      table(
        'Certificates',
        ['Names', 'Valid for', 'File'],
        certificates.map(({ names, notAfter, file }) => [[names].flat().join(', '), validity(notAfter), file]),
      ),
    table(
      `Workers (${totals.workerRestarts} replaced after a death)`,
      ['Number', 'Generation', 'Process', 'State', 'Up'],
      workers.map(worker => [
        worker.index,
        worker.generation,
        worker.pid,
        worker.state,
        duration(worker.uptimeSeconds),
      ]),
    ),
    table(
      'Answers',
      ['Status', 'Number'],
      Object.entries(totals.requestsByClass).map(([status, n]) => [status, count.format(n)]),
    ),
  ].filter(Boolean);
}

function show(stats, last, seconds) {
  const { totals } = stats;
  const rate = read => (last === undefined ? 0 : Math.max(0, (read(totals) - read(last.totals)) / seconds));
  const requests = rate(each => each.requests);
  const sent = rate(each => each.responseBytes);
  const fetched = rate(each => Object.values(each.origins).reduce((sum, origin) => sum + origin.bytes, 0));
  const state = stats.ready ? 'ready' : stats.drained ? 'drained' : 'not ready';
  byId('about').textContent =
    `${stats.version} · port ${stats.listen.port} · ${state} · up ${duration(stats.uptimeSeconds)} · generation ${stats.generation}`;
  const { reload } = stats;
  byId('notes').replaceChildren(
    ...(reload?.ok === false ? [element('p', `The last reload was refused: ${reload.error}`, 'error')] : []),
  );
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
  byId('tables').replaceChildren(...tablesOf(stats));
}

const past = element('section');
const operations = element('section', undefined, 'operations');
byId('tiles').after(past, operations);
const raw = element('p', undefined, 'dim');
raw.append(answerLink('Metrics', '/metrics'), ' · ', answerLink('Stats', '/stats'));
byId('main').append(raw);
showOperations(operations);
watch('/stats', show);
showCharts(past);
