import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { ConfigError, loadConfig } from '../../../src/config/load.js';
import { schema } from '../../../src/config/schema.js';
import { describeSettings } from '../../../src/config/setting.js';
import { cpuStopwatch } from '../../support/stopwatch.js';

const folder = mkdtempSync(path.join(tmpdir(), 'moovedge-config-'));
after(() => rmSync(folder, { recursive: true }));
const file = path.join(folder, 'edge.yaml');
/** Milliseconds of CPU that any text of the tests below may take. */
const PATIENCE = 20_000;

/** Every text is a configuration, or a list of mistakes of one line each; in bounded time. */
function expectSense(text: string): void {
  const spent = cpuStopwatch();
  writeFileSync(file, text);
  try {
    loadConfig({ file, flags: [], env: { A: 'x', HOME: '/' } });
  } catch (error) {
    assert.ok(error instanceof ConfigError, `${text.slice(0, 500)}\n${(error as Error).stack}`);
    for (const mistake of error.mistakes) assert.match(mistake, /^[^\r\n]+$/);
    for (const mistake of error.mistakes)
      assert.doesNotMatch(mistake, /node:internal|\.ts:\d|undefined\b/, text.slice(0, 500));
    assert.ok(error.mistakes.length > 0 && error.mistakes.length < 300);
  }
  const took = spent();
  assert.ok(took < PATIENCE, `${text.slice(0, 80)}: ${took} ms`);
}

/** Values that people write in wrong places. */
const value: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      null,
      true,
      'off',
      0,
      -1,
      1e308,
      8080,
      '10GiB',
      '5s',
      '10%',
      '/',
      '.',
      'auto',
      '',
      '\u0024{A}',
      '\u0024{B}x',
      '__proto__',
    ),
    fc.constantFrom(
      'http://u:p@h/a?b',
      's3://b/p',
      'file:///',
      'http://[',
      '//x',
      'HTTP://H',
      's3://',
      'file://h/%2F',
      '/proc/x',
    ),
    fc.double(),
    fc.string(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom('name', 'url', 'path', 'size', '__proto__', 'constructor', 'a\nb')),
      tie('value'),
      {
        maxKeys: 4,
      },
    ),
  ),
})).value;

/** A tree with a value at the place of a setting, or of a group on the way to it. */
const misplaced = fc
  .tuple(fc.constantFrom(...describeSettings(schema).map(({ key }) => key)), fc.nat(6), value)
  .map(([key, cut, leaf]) => {
    const steps = key.replaceAll('[]', '.[]').split('.');
    const kept = steps.slice(0, Math.max(1, steps.length - cut));
    return kept.reduceRight<unknown>((inner, step) => (step === '[]' ? [inner] : { [step]: inner }), leaf);
  });

function merged(a: unknown, b: unknown): unknown {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return b;
  if (Array.isArray(a) || Array.isArray(b)) return b;
  const both: Record<string, unknown> = { ...a };
  for (const [key, child] of Object.entries(b)) both[key] = Object.hasOwn(a, key) ? merged(both[key], child) : child;
  return both;
}

test('settings of any shape end in a configuration or in mistakes', () => {
  fc.assert(
    fc.property(fc.array(misplaced, { minLength: 1, maxLength: 5 }), trees =>
      expectSense(stringify(trees.reduce(merged))),
    ),
    { numRuns: 400 },
  );
});

test('texts that are nearly YAML end in mistakes', () => {
  const piece = fc.constantFrom(
    ...[
      'origins:',
      ' ',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      ',',
      ': ',
      '&a',
      '*a',
      '!!set',
      '!!binary',
      '!!omap',
      '!x',
      '|',
      '>',
      '"',
    ],
    ...[
      "'",
      '%',
      '@',
      '#',
      '? ',
      '---\n',
      '...\n',
      '<<',
      'url',
      'http://h',
      'name',
      'listen',
      '\t',
      '\u0000',
      '\ud800',
      '\ufeff',
      '\\',
      '1',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), pieces => expectSense(pieces.join(''))),
    { numRuns: 400 },
  );
});

test('large and deep texts end in mistakes in bounded time', () => {
  const many = (count: number, make: (index: number) => string) =>
    Array.from({ length: count }, (_, i) => make(i)).join('');
  const texts = [
    '['.repeat(200_000),
    '{a: '.repeat(100_000),
    '- '.repeat(100_000),
    `${'['.repeat(500)}${']'.repeat(500)}`,
    many(20_000, i => `k${i}: 1\n`),
    many(20_000, i => `k${i % 100}: 1\n`),
    `origins:\n${many(3000, i => `  - {name: o${i}, url: x:${i}}\n`)}`,
    `http: {dropQuery: [${many(20_000, i => `"${i} ",`)}]}`,
    `a: &a [${many(30, () => 'x,')}]\nb: [${many(20_000, () => '*a,')}]`,
    `listen: {host: ${'x'.repeat(1_000_000)}}`,
    `? ${'[a, '.repeat(1000)}\n`,
    `"${'a'.repeat(500_000)}": 1`,
  ];
  for (const text of texts) expectSense(text);
});
