import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parse } from 'yaml';
import { METRICS } from '../../../src/observe/metric-table.js';
import { Metrics, mergeSnapshots } from '../../../src/observe/metrics.js';
import { ROOT, textOf } from '../../support/source-tree.js';

const ALERTS = 'docs/operations/alerts.yaml';
const folder = mkdtempSync(join(tmpdir(), 'moovedge-promtool-'));
after(() => rmSync(folder, { recursive: true }));

const promtool = (...args: string[]) =>
  execFileSync('promtool', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });

interface Dashboard {
  readonly panels: readonly { title: string; targets?: readonly { expr: string }[] }[];
  readonly annotations: { readonly list: readonly { expr: string }[] };
}

/** Everything that asks Prometheus something. */
function expressions(): string[] {
  const { panels, annotations } = JSON.parse(textOf('docs/operations/grafana-dashboard.json')) as Dashboard;
  const drawn = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const { groups } = parse(textOf(ALERTS)) as { groups: { rules: { expr: string }[] }[] };
  return [
    ...drawn,
    ...annotations.list.map(({ expr }) => expr),
    ...groups.flatMap(({ rules }) => rules.map(r => r.expr)),
  ];
}

describe('what operators load', () => {
  it('asks for metrics that there are, by labels that they have', () => {
    const used = expressions();
    assert.ok(used.length > 30);
    for (const expr of used) {
      const names = [...expr.matchAll(/\b(?:moovedge_\w+)/g)].map(([name]) =>
        name.replace(/_(?:bucket|sum|count)$/, ''),
      );
      for (const name of names) assert.ok(Object.hasOwn(METRICS, name), `${name} in ${expr}`);
      const known = new Set(names.flatMap(name => labelsOf(name)));
      const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(', '));
      for (const label of grouped)
        assert.ok(known.has(label) || names.length === 0 || isOfAll(label), `${label} in ${expr}`);
    }
  });

  it('is taken by promtool', () => {
    assert.match(promtool('check', 'rules', join(ROOT, ALERTS)), /SUCCESS: 13 rules found/);
    // Variables of Grafana as it fills them in.
    const rules = expressions().map((expr, i) => ({
      record: `panel:${i}`,
      expr: expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '5m'),
    }));
    const file = join(folder, 'panels.yaml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
    assert.match(promtool('check', 'rules', file), new RegExp(`SUCCESS: ${rules.length} rules found`));
  });

  it('has alerts that go off when they should, and not before', () => {
    const at = (time: string, alertname: string, labels: object | undefined, summary = '') => ({
      eval_time: time,
      alertname,
      exp_alerts: labels === undefined ? [] : [{ exp_labels: labels, exp_annotations: { summary } }],
    });
    const edge = { instance: 'edge-1' };
    const tests = {
      rule_files: [join(ROOT, ALERTS)],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: [
            { series: 'moovedge_origin_up{instance="edge-1",origin="films",server="a"}', values: '1x3 0x20' },
            { series: 'moovedge_origin_up{instance="edge-1",origin="films",server="b"}', values: '1x10 0x20' },
            { series: 'moovedge_config_last_reload_successful{instance="edge-1"}', values: '1x2 0x20' },
            { series: 'moovedge_http_requests_total{instance="edge-1",status="200"}', values: '0+100x30' },
            { series: 'moovedge_http_requests_total{instance="edge-1",status="502"}', values: '0x10 0+5x20' },
          ],
          alert_rule_test: [
            at('8m', 'MoovedgeOriginDown', undefined),
            at(
              '15m',
              'MoovedgeOriginDown',
              { ...edge, origin: 'films', severity: 'page' },
              'no server of films is up, as edge-1 sees it',
            ),
            at('2m', 'MoovedgeReloadRefused', undefined),
            at(
              '10m',
              'MoovedgeReloadRefused',
              { ...edge, severity: 'ticket' },
              'the configuration of edge-1 was not taken; its log and /stats say why',
            ),
            at('10m', 'MoovedgeErrors', undefined),
          ],
        },
      ],
    };
    const file = join(folder, 'alerts.test.yaml');
    writeFileSync(file, JSON.stringify(tests));
    assert.match(promtool('test', 'rules', file), /SUCCESS/);
  });

  it('reads what the edge tells, whose names follow the rules', async () => {
    const metrics = new Metrics({ process: true });
    for (const [name, { type }] of Object.entries(METRICS)) {
      if (type === 'counter') metrics.counter(name as never, () => 1);
      else if (type === 'gauge') metrics.gauge(name as never, () => 1);
      else metrics.histogram(name as never)(0.1);
    }
    const { text } = await mergeSnapshots([await metrics.snapshot()]);
    const found = execFileSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8', stdio: 'pipe' });
    assert.equal(found, '');
  });
});

function labelsOf(name: string): readonly string[] {
  const { type, labels = [] } = METRICS[name as keyof typeof METRICS] as { type: string; labels?: readonly string[] };
  return type === 'histogram' ? [...labels, 'le'] : labels;
}

/** Labels that Prometheus gives to everything that it scrapes. */
function isOfAll(label: string): boolean {
  return label === 'instance' || label === 'job';
}
