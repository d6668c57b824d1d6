import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EXIT } from '../../../src/app/exit-code.js';

test('docs/operations.md tells every exit code, and no other', () => {
  const docs = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  const table = docs.slice(docs.indexOf('| code |'));
  const told = [...table.slice(0, table.indexOf('\n\n')).matchAll(/^\| (\d+) \|/gm)].map(match => Number(match[1]));
  assert.deepEqual(
    told,
    Object.values(EXIT).sort((a, b) => a - b),
  );
});
