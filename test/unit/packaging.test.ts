/** Rules that the files for containers and service managers keep, and what is made for shells, editors and manuals. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { manualPage } from '../../src/commands/manual.js';
import { program } from '../../src/commands/program.js';
import { schemaText } from '../../src/commands/schema-text.js';
import { completionScript } from '../../src/commands/shell-completion.js';
import { loadSettings } from '../../src/config/load.js';
import { programPath } from '../packages.mjs';
import { textOf } from '../support/source-tree.js';

/** Instructions of the Dockerfile, with their continued lines. */
const INSTRUCTIONS = textOf('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n/g, '')
  .trim()
  .split(/\n+/)
  .map(line => /^([A-Z]+)\s+(.*)$/s.exec(line) ?? assert.fail(line))
  .map(([, name, value]) => ({ name: name!, value: value! }));
const valuesOf = (name: string) => INSTRUCTIONS.filter(each => each.name === name).map(({ value }) => value);

describe('the Dockerfile', () => {
  it('builds on images of named versions, and leaves the tools of the build behind', () => {
    const images = valuesOf('FROM');
    assert.equal(images.length, 2);
    for (const image of images) assert.match(image, /^node:\d+-bookworm-slim( AS build)?$/);
    const last = INSTRUCTIONS.slice(INSTRUCTIONS.findLastIndex(({ name }) => name === 'FROM'));
    assert.ok(!last.some(({ value }) => /apt-get|npm/.test(value)));
  });

  it('runs as a user by number, who is not root, and needs no shell', () => {
    assert.deepEqual(valuesOf('USER'), ['1000:1000']);
    for (const name of ['ENTRYPOINT', 'CMD'])
      for (const value of valuesOf(name)) assert.ok(Array.isArray(JSON.parse(value)));
    const [health = ''] = valuesOf('HEALTHCHECK');
    assert.ok(Array.isArray(JSON.parse(health.slice(health.indexOf('[')))));
    assert.match(health, /\/readyz/);
  });

  it('installs packages without what they recommend, leaves no lists, and adds nothing from the net', () => {
    for (const value of valuesOf('RUN').filter(each => each.includes('apt-get install'))) {
      assert.match(value, /apt-get update +&&.*install -y --no-install-recommends.*rm -rf \/var\/lib\/apt\/lists/);
    }
    assert.deepEqual(valuesOf('ADD'), []);
    assert.ok(!/secret|password|token/i.test(INSTRUCTIONS.map(({ value }) => value).join()));
  });

  it('says how it is started: read-only, with room for the memory tier', () => {
    assert.match(textOf('Dockerfile'), /docker run --read-only --tmpfs \/tmp --shm-size 1g/);
    const ignored = textOf('.dockerignore').split('\n');
    for (const name of ['.git', 'node_modules', 'dist', 'native/build']) assert.ok(ignored.includes(name), name);
  });
});

describe('the unit of systemd', () => {
  const unit = textOf('packaging/moovedge.service');
  const settings = new Map([...unit.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]));

  it('lets the edge tell how it is, stop in its time, and be replaced', () => {
    assert.equal(settings.get('Type'), 'notify');
    assert.equal(settings.get('NotifyAccess'), 'all', 'the one that takes over tells, too');
    assert.equal(settings.get('KillMode'), 'mixed');
    assert.equal(settings.get('RestartPreventExitStatus'), '64 78');
    assert.ok(Number(settings.get('WatchdogSec')) > 0);
    const { delay, grace } = loadSettings({ file: 'packaging/moovedge.yaml', flags: [], env: {} }).shutdown;
    assert.ok(Number(settings.get('TimeoutStopSec')) * 1000 > delay + grace);
  });

  it('gives it few rights, and keeps the cache', () => {
    assert.equal(settings.get('User'), 'moovedge');
    assert.match(textOf('packaging/moovedge.sysusers'), /^u moovedge /);
    assert.equal(settings.get('CapabilityBoundingSet'), 'CAP_NET_BIND_SERVICE');
    assert.equal(settings.get('RemoveIPC'), 'no');
    assert.match(settings.get('ReadWritePaths')!, /\/dev\/shm/);
    for (const name of ['NoNewPrivileges', 'PrivateTmp', 'ProtectKernelTunables', 'RestrictNamespaces'])
      assert.equal(settings.get(name), 'yes', name);
    assert.equal(settings.get('MemoryDenyWriteExecute'), undefined, 'V8 compiles');
  });

  it('is liked by systemd-analyze', { skip: programPath('systemd-analyze') === undefined }, () => {
    const args = ['security', '--offline=true', '--threshold=25', '--no-pager', 'packaging/moovedge.service'];
    const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    assert.equal(status, 0, stdout);
  });
});

describe('what is made of the command line', () => {
  const commands = program().commands.map(each => each.name());

  it('completes commands, commands below them, and flags, in bash', () => {
    const script = completionScript(program(), 'bash');
    const complete = (...words: string[]) => {
      const line = `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _moovedge; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { status, stdout, stderr } = spawnSync('bash', ['-c', line, 'bash', 'moovedge', ...words], {
        encoding: 'utf8',
      });
      assert.equal(status, 0, stderr);
      return stdout.split('\n').filter(Boolean);
    };
    assert.deepEqual(complete('re'), ['reload']);
    assert.deepEqual(complete('cluster', 'dr'), ['drain']);
    assert.ok(complete('serve', '--mem').includes('--memory-file'));
    assert.deepEqual(complete('purge', '--so'), ['--soft']);
    assert.deepEqual(complete('serve', '/fi'), [], 'files are left to the shell');
    for (const name of complete('')) assert.ok(commands.includes(name) || name === 'help', name);
    assert.throws(() => completionScript(program(), 'tcsh'), { code: 'usage' });
  });

  for (const [shell, check] of [
    ['zsh', ['-n']],
    ['fish', ['--no-execute']],
  ] as const) {
    it(`names every command to ${shell}`, () => {
      const script = completionScript(program(), shell);
      for (const name of commands.filter(each => each !== 'manual')) assert.ok(script.includes(name), name);
      if (programPath(shell) === undefined) return;
      const { status, stderr } = spawnSync(shell, [...check, '/dev/stdin'], { input: script, encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    });
  }

  it('is a manual page that roff reads without a warning', () => {
    const page = manualPage(program());
    for (const name of commands.filter(each => !['manual', 'cluster', 'jobs'].includes(each)))
      assert.ok(page.includes(`\n.SS ${name.replaceAll('-', '\\-')}`), name);
    if (programPath('groff') === undefined) return;
    const { stderr } = spawnSync('groff', ['-man', '-Tascii', '-ww', '-z'], { input: page, encoding: 'utf8' });
    assert.equal(stderr, '');
  });
});

describe('the schema for editors', () => {
  const schema = z.fromJSONSchema(JSON.parse(schemaText()));
  const mistakes = (text: string) =>
    schema.safeParse(parse(text)).error?.issues.map(issue => issue.path.join('.')) ?? [];

  it('takes the example, with every setting, and what the service comes with', () => {
    assert.deepEqual(mistakes(textOf('config.example.yaml')), []);
    assert.deepEqual(mistakes(textOf('packaging/moovedge.yaml')), []);
  });

  it('takes what may stand for a value: nothing, a variable, one listener or several', () => {
    assert.deepEqual(mistakes(`workers:\nlisten: {port: 80}\nadmin: {token: '$\{TOKEN}', port: '$\{PORT}'}`), []);
    assert.deepEqual(mistakes('listen: [{port: 80}, {unix: /run/x, engine: node}]\nlimits: {rate: 5}'), []);
    assert.deepEqual(mistakes('cache: {memory: {size: 1.5GiB}}\nshutdown: {grace: 0}\npacing: {rate: 1.5x}'), []);
  });

  it('refuses unknown names and values of another kind, where they stand', () => {
    for (const text of [
      'bogus: 1',
      'cache: {memory: {sise: 1GiB}}',
      'workers: many',
      'workers: 0',
      'cache: {memory: {size: 1GB}}',
      'shutdown: {grace: 30}',
      'log: {level: loud}',
      'origins: {}',
    ])
      assert.equal(mistakes(text).length > 0, true, text);
  });

  it('tells what each setting does, and its default', () => {
    const { properties } = JSON.parse(schemaText());
    const { description, default: fallback } = properties.cache.properties.disk.properties.size;
    assert.match(description, /^Most bytes of the disk tier\. Expected: a size from 64MiB to/);
    assert.equal(fallback, '10GiB');
  });
});
