import assert from 'node:assert/strict';
import { it } from 'node:test';
import { labelsOf, languageTag } from '../../../../../src/view/packaging/presentation/labels.js';
import { noteLine } from '../../../../../src/view/packaging/presentation/note.js';

const audio = (title: string, language: string) => ({ kind: 'audio' as const, title, language });

it('tracks are called what the file calls them, else by language, else by kind, and no two alike', () => {
  const tracks = [
    audio('Director', 'en'),
    audio('', 'en'),
    audio('', 'en'),
    audio('', 'und'),
    audio('', 'und'),
    audio('', 'pt-BR'),
  ];
  assert.deepEqual(labelsOf(tracks, true), [
    'Director',
    'English',
    'English (2)',
    'Audio',
    'Audio (2)',
    'Brazilian Portuguese',
  ]);
  assert.equal(labelsOf(tracks, false)[0], 'English');
  const codecs = ['aac', 'ac-3', 'ac-3'].map(group => ({ ...audio('', 'en'), group }));
  assert.deepEqual(labelsOf(codecs, true), ['English', 'English', 'English (2)']);
});

it('labels are one line without quotes, and not long', () => {
  assert.deepEqual(labelsOf([audio('a"\r\nb\u2028c\0', 'en')], true), ['a b c']);
  assert.equal(labelsOf([audio('x'.repeat(5000), 'en')], true)[0]!.length, 100);
  assert.deepEqual(labelsOf([audio('"', 'en\n"x')], true), ['Audio']);
  assert.equal(languageTag('en",X="'), 'und');
});

it('notes are one line that ends no comment', () => {
  assert.equal(noteLine('a\n#EXT --> <x> -- \u{1f600}b'), 'a #EXT -> <x> - b');
  assert.ok(noteLine('-'.repeat(5000) + 'x'.repeat(5000)).length < 310);
});
