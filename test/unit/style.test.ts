import assert from 'node:assert/strict';
import { it } from 'node:test';
import { filesOf, textOf } from '../support/source-tree.js';

const WIDTH = 120;
/**
 * True of a line that is, or ends in, a comment. Code is wrapped by the formatters, which leave long literals whole.
 */
function isComment(line: string): boolean {
  return /^\s*(\/\/|\/?\*)/.test(line) || /[;{},)] \/\/ [^'"`]*$/.test(line);
}

it(`no comment is wider than ${WIDTH} columns`, () => {
  const files = ['src', 'test', 'bench', 'native'].flatMap(folder => filesOf(folder, /\.(ts|mjs|cc|h)$/));
  const wide = files.flatMap(file =>
    textOf(file)
      .split('\n')
      .flatMap((line, index) => (line.length > WIDTH && isComment(line) ? `${file}:${index + 1}` : [])),
  );
  assert.deepEqual(wide, []);
});

/** A field line (RFC 9110 section 5) within a literal, whichever end its line break stands at. */
const FIELD_LINE = /\\r\\n[\w${}-]+: |[`'"}][\w-]+: [^`'"\n]*\\r\\n/;

it('field lines are written in one file, with the line breaks that part them', () => {
  const writers = filesOf('src', /\.ts$/).filter(file => FIELD_LINE.test(textOf(file)));
  assert.deepEqual(writers, ['src/base/field-line.ts']);
});
