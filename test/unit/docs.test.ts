import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import type { Command } from '../../src/commands/command-line.js';
import { program } from '../../src/commands/program.js';
import { schema } from '../../src/config/schema.js';
import { describeSettings } from '../../src/config/setting.js';
import { METRICS } from '../../src/observe/metric-table.js';
import { filesOf, ROOT, textOf } from '../support/source-tree.js';

const PAGES = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesOf('docs', /\.md$/)];
/** A changelog names what was there at its time. */
const TODAY = PAGES.filter(page => page !== 'CHANGELOG.md');

/** A page without what stands in its blocks of code. */
function prose(page: string): string {
  return textOf(page).replace(/^```[\s\S]*?^```$/gm, '');
}

/** What stands between backticks in the prose of a page. */
function quoted(page: string): string[] {
  return [...prose(page).matchAll(/`([^`\n]+)`/g)].map(([, text]) => text!);
}

/** The anchor that a heading gets. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

describe('docs', () => {
  it('link to what is there', () => {
    const broken = PAGES.flatMap(page =>
      [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target]) => target!)
        .filter(target => !/^https?:/.test(target))
        .filter(target => {
          const [path = '', heading] = target.split('#');
          const file = path === '' ? page : normalize(join(dirname(page), path));
          if (!existsSync(join(ROOT, file))) return true;
          if (heading === undefined) return false;
          return ![...textOf(file).matchAll(/^#+ (.+)$/gm)].some(([, text]) => anchor(text!) === heading);
        })
        .map(target => `${page}: ${target}`),
    );
    assert.deepEqual(broken, []);
  });

  it('name files and folders that are there', () => {
    const isPath = /^(?:src|test|bench|native|docs|\.ci)\/[\w./-]+$|^[\w.-]+\.(?:md|yaml|json)$/;
    const missing = TODAY.flatMap(page =>
      quoted(page)
        .filter(text => isPath.test(text) && !existsSync(join(ROOT, text)))
        .map(text => `${page}: ${text}`),
    );
    assert.deepEqual(missing, []);
  });

  it('name scripts and benchmarks that are there', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const missing = TODAY.flatMap(page => {
      const text = textOf(page);
      const run = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name!);
      const benches = [...text.matchAll(/\bbench -- ([a-z][\w-]*)/g)].map(([, name]) => name!);
      return [
        ...run.filter(name => scripts[name] === undefined),
        ...benches.filter(name => name !== 'all' && !existsSync(join(ROOT, `bench/${name}.ts`))),
      ].map(name => `${page}: ${name}`);
    });
    assert.deepEqual(missing, []);
  });

  it('name settings and metrics that there are', () => {
    const keys = describeSettings(schema).map(({ key }) => key);
    const groups = new Set(keys.map(key => key.split(/[.[]/)[0]!));
    const isSetting = (text: string) => /^[a-z][\w]*(\.[a-zA-Z]+)+$/.test(text) && groups.has(text.split('.')[0]!);
    const missing = TODAY.flatMap(page => [
      ...quoted(page).filter(text => isSetting(text) && !keys.some(key => key === text || key.startsWith(`${text}.`))),
      ...quoted(page).filter(
        text => /^moovedge_\w+$/.test(text) && !(text in METRICS) && !/^moovedge_supply_/.test(text),
      ),
    ]);
    assert.deepEqual(missing, []);
  });

  it('quote messages that the program has, by symptom', () => {
    const source = [...filesOf('src', /\.(?:ts|mjs)$/), ...filesOf('native', /\.cc$/)].map(textOf).join('\n');
    const rows = textOf('docs/operations/troubleshooting.md').matchAll(/^\| ([^|]+) \|/gm);
    const told = [...rows].flatMap(([, seen]) => [...seen!.matchAll(/`([^`]+)`/g)].map(([, text]) => text!));
    // A command is no message, and a number or a name stands for whatever is there.
    const messages = told.filter(text => text.includes(' ') && !text.startsWith('moovedge purge'));
    assert.ok(messages.length > 5, messages.join('\n'));
    const parts = messages.flatMap(text => text.split(/…|\b8080\b|\/dev\/shm/)).map(part => part.trim());
    assert.deepEqual(
      parts.filter(part => !source.includes(part)),
      [],
    );
  });

  it('name commands and flags that there are', () => {
    const commands = (command: Command): Command[] => [command, ...command.commands.flatMap(commands)];
    const all = commands(program());
    const names = new Set(all.map(command => command.name()).concat('help'));
    const missing = TODAY.flatMap(page =>
      quoted(page).flatMap(text => {
        const name = /^(?:npx )?moovedge ([a-z][\w-]*)/.exec(text)?.[1];
        // What ends so is a message, not a command.
        if (name === undefined || text.endsWith(' …')) return [];
        const flags = new Set(all.flatMap(({ options }) => options.map(({ long }) => long)).concat('--help'));
        const unknown = [...text.matchAll(/(?<= )--[a-z][\w-]*/g)]
          .map(([flag]) => flag)
          .filter(flag => !flags.has(flag));
        return [...(names.has(name) ? [] : [name]), ...unknown].map(word => `${page}: ${word} in ${text}`);
      }),
    );
    assert.deepEqual(missing, []);
  });

  it('have no line of more than 120 columns, but for tables', () => {
    const wide = PAGES.flatMap(page =>
      textOf(page)
        .split('\n')
        .flatMap((line, index) => (line.length > 120 && !line.startsWith('|') ? `${page}:${index + 1}` : [])),
    );
    assert.deepEqual(wide, []);
  });
});
