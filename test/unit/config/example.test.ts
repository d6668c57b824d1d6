import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { loadConfig } from '../../../src/config/load.js';
import { defaultConfig, schema } from '../../../src/config/schema.js';
import { describeSettings } from '../../../src/config/setting.js';

const file = fileURLToPath(new URL('../../../config.example.yaml', import.meta.url));
const text = readFileSync(file, 'utf8');
/** With what is commented out, which stands last. */
const commented = text.slice(text.indexOf('\n#access:'));
const whole = text.replace(commented, commented.replaceAll(/^#(?! \S)/gm, ''));
const example: unknown = parse(whole);

/** Every value that stands at a key such as `origins[].name` or `headers.*`; empty when the key is nowhere. */
function valuesAt(value: unknown, steps: readonly string[]): unknown[] {
  const [step, ...rest] = steps;
  if (step === undefined) return [value];
  if (typeof value !== 'object' || value === null) return [];
  if (step === '[]' || step === '*') return Object.values(value).flatMap(child => valuesAt(child, rest));
  return Object.hasOwn(value, step) ? valuesAt((value as Record<string, unknown>)[step], rest) : [];
}

function stepsOf(key: string): string[] {
  return key.replaceAll('[]', '.[]').split('.');
}

test('the example loads', () => {
  const config = loadConfig({ file, flags: [], env: {} });
  assert.deepEqual(
    config.origins.map(({ name }) => name),
    ['samples', 'films', 'bucket'],
  );
  const { origins: _, ...others } = config;
  const { origins: __, ...defaults } = defaultConfig();
  assert.deepEqual(JSON.parse(JSON.stringify(others)), JSON.parse(JSON.stringify(defaults)));
});

test('the example loads with what is commented out', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-example-'));
  try {
    const file = join(folder, 'edge.yaml');
    writeFileSync(file, whole.replaceAll(/src\/samples|\.\/src\/samples/g, folder));
    mkdirSync(join(folder, 'pages'));
    writeFileSync(join(folder, 'pages/404.html'), 'gone fishing');
    const { access, cluster, live } = loadConfig({ file, flags: [], env: {} });
    assert.deepEqual([live.rtmp?.port, live.publish.keys], [1935, { 'studio/main': 'change-me' }]);
    assert.deepEqual(
      access.map(({ path, signed }) => `${path} ${signed?.scheme}`),
      [
        '/paid/ secure_link_md5',
        '/vip/ hmac_sha256',
        ...['/members/', '/asked/', '/inside/', '/'].map(at => `${at} undefined`),
      ],
    );
    assert.equal(cluster?.node.id, 'edge-1');
    assert.deepEqual(cluster?.etcd.endpoints, ['http://127.0.0.1:2379']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the example has every setting of the schema, with its default', () => {
  const settings = describeSettings(schema);
  assert.ok(settings.length > 80, `only ${settings.length} settings`);
  for (const { key, default: fallback } of settings) {
    const isListItem = key.endsWith('[]');
    const values = valuesAt(example, stepsOf(isListItem ? key.slice(0, -2) : key));
    assert.ok(values.length > 0, `${key} is not in the example`);
    if (fallback === undefined) continue;
    assert.ok(
      values.map(String).includes(String(fallback)),
      `${key}: the example says ${values}, the schema ${fallback}`,
    );
  }
});

test('every setting has a sentence of its own', () => {
  const texts = describeSettings(schema).map(({ text }) => text);
  assert.equal(new Set(texts).size, texts.length);
  for (const text of texts) assert.match(text, /^[A-Z*].*\.$/);
});
