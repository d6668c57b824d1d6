import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ControlGroups } from '../../../src/pipeline/transcode/control-groups.js';
import { runTool } from '../../../src/pipeline/transcode/tool.js';

let root: string;

/** A folder as the kernel shows a group. */
function makeGroup(path: string): string {
  const folder = join(root, path);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'cgroup.procs'), '');
  writeFileSync(join(folder, 'cgroup.subtree_control'), '');
  return folder;
}

const groupsIn = (folder: string) => readdirSync(folder).filter(name => name.startsWith('moovedge-'));

describe('control groups', () => {
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'moovedge-cgroup-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('bound a program and are joined by it before it begins', async () => {
    const folder = makeGroup('unit');
    const groups = ControlGroups.find(root, '0::/unit\n');
    // The kernel removes the files of a group with it; here they stay, so its folder does.
    const { code } = await runTool({
      ...{ program: 'ffprobe', args: ['-version'], memory: 2 ** 30, fileSize: 0, timeout: 60_000 },
      ...{ signal: new AbortController().signal, groups, line: () => true },
    });
    assert.equal(code, 0);
    const made = groupsIn(folder).map(name => join(folder, name));
    const texts = made.map(each => [
      readFileSync(join(each, 'memory.max'), 'utf8'),
      readFileSync(join(each, 'pids.max'), 'utf8'),
      readFileSync(join(each, 'cgroup.kill'), 'utf8'),
    ]);
    assert.ok(
      texts.some(text => text.join() === `${2 ** 30},512,1`),
      JSON.stringify(texts),
    );
    const joined = made.map(each => readdirSync(each).includes('cgroup.procs'));
    assert.ok(joined.includes(true), 'the program has not joined');
  });

  it('are those above where a unit has a group for its processes alone', async () => {
    const above = makeGroup('unit');
    mkdirSync(join(root, 'unit/main'));
    const groups = await ControlGroups.find(root, '0::/unit/main\n');
    assert.ok(groups !== undefined);
    const before = groupsIn(above).length;
    await groups.make(1000);
    assert.equal(groupsIn(above).length, before + 1);
  });

  it('are removed when who made them has died', async () => {
    const folder = makeGroup('unit');
    mkdirSync(join(folder, 'moovedge-4194305-of-the-dead'));
    mkdirSync(join(folder, `moovedge-${process.pid}-of-the-living`));
    await ControlGroups.find(root, '0::/unit\n');
    const left = groupsIn(folder);
    assert.ok(!left.some(name => name.endsWith('of-the-dead')), left.join());
    assert.ok(
      left.some(name => name.endsWith('of-the-living')),
      left.join(),
    );
  });

  for (const [name, own] of [
    ['there are none of the second kind', '4:memory:/user\n1:name=systemd:/user\n'],
    ['the process’s is not to be seen', '0::/elsewhere/main\n'],
    ['the name leads out of them', '0::/../../../etc\n'],
    ['nothing is known', ''],
  ] as const) {
    it(`are done without where ${name}`, async () => {
      assert.equal(await ControlGroups.find(root, own), undefined);
    });
  }
});
