import assert from 'node:assert';
import strict from 'node:assert/strict';

/**
 * `assert.ok` says where it failed, and nothing of the expression: Node.js would look for that in the source, at the
 * place in what tsx has made of it, which takes it minutes.
 */
function ok(...args) {
  const [value, message = 'expected something true'] = args;
  if (value) return;
  if (message instanceof Error) throw message;
  throw new assert.AssertionError({ message, actual: value, expected: true, operator: '==', stackStartFn: ok });
}

assert.ok = ok;
strict.ok = ok;
