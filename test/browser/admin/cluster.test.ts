/** Chromium shows the page of the cluster: nodes, who is warm, hops, and what is wrong. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../../support/chromium.js';
import { clusterSettings } from '../../support/cluster-settings.js';
import { Edge } from '../../support/edge.js';
import { Etcd } from '../../support/etcd.js';
import { freePorts } from '../../support/ports.js';
import { until } from '../../support/until.js';

const SAMPLES = fileURLToPath(new URL('../../../src/samples/', import.meta.url));
const FILMS = ['/bframes-faststart.mp4', '/keyframes.flv', '/long-gop.mp4', '/plain.flv', '/fragmented.mp4'];
let browser: Browser;
let etcd: Etcd;
let edges: readonly Edge[] = [];
before(async () => {
  browser = await launchChromium();
  etcd = await Etcd.start();
  const ports = await freePorts(2);
  edges = await Promise.all(
    ports.map((port, at) =>
      Edge.start({
        origin: SAMPLES,
        settings: clusterSettings({ id: `edge-${at + 1}`, port, endpoints: etcd.urls }),
      }),
    ),
  );
});
after(async () => {
  await browser?.close();
  for (const edge of edges) await edge.end();
  await etcd?.end();
});

test('the page of the cluster shows nodes, partitions, hops, and a node that is gone', async () => {
  const [first, second] = edges as [Edge, Edge];
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('pageerror', error => complaints.push(error.message));
  page.on('console', message => {
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(`${first.admin}/cluster.html`);
  const rows = async () => (await page.locator('table').first().locator('tbody tr').allTextContents()).join('\n');
  const shows = async (...patterns: readonly RegExp[]) => {
    const text = await rows();
    return patterns.every(pattern => pattern.test(text));
  };
  await until('both nodes', () => shows(/^edge-1 \(this one\).*upwarm181928192/m, /^edge-2default.*upwarm181928192/m));
  assert.match((await page.locator('#about').textContent()) ?? '', /as edge-1 sees it · map \d+ · leader edge-\d/);
  assert.match(await rows(), /^edge-1.*edge-2 8192/m, 'who stands in');
  assert.equal(await page.locator('#login').isHidden(), true);
  // Hops: whatever edge-2 owns comes by way of edge-1.
  const owners = await Promise.all(
    FILMS.map(async path => {
      const located = await fetch(`${first.admin}/locate?path=${path}`);
      return { path, owner: ((await located.json()) as { owner: string }).owner };
    }),
  );
  const owned = owners.find(({ owner }) => owner === 'edge-2')!.path;
  assert.equal((await first.get(owned)).status, 200);
  const hops = page.locator('table').nth(1);
  await until('the hop', async () => /edge-2yes[1-9]/.test((await hops.locator('tbody').textContent()) ?? ''));
  await page.setViewportSize({ width: 360, height: 640 });
  await second.killAll();
  await until('it to be seen away', () => shows(/^edge-2default.*awayaway/m));
  await until('its films to have an heir', () => shows(/^edge-2.*awayaway.*edge-1 8192/m));
  await etcd.members[0]!.kill();
  await until('etcd to be missed', async () =>
    /etcd does not answer/.test((await page.locator('#notes').textContent()) ?? ''),
  );
  assert.deepEqual(complaints, []);
  await page.close();
});

test('an edge on its own says that it is in no cluster', async () => {
  const alone = await Edge.start({ origin: SAMPLES });
  try {
    const page = await browser.newPage();
    await page.goto(`${alone.admin}/cluster.html`);
    await page.locator('#error', { hasText: 'in no cluster' }).waitFor();
    await page.close();
  } finally {
    await alone.end();
  }
});
