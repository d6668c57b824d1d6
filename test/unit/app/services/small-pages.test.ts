import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { smallPagesOf } from '../../../../src/app/services/small-pages.js';

for (const folder of ['/dev/shm', '/', '/proc', '/dev', tmpdir()]) {
  test(`pages of ${folder} are as findmnt tells its mount`, () => {
    const told = execFileSync('findmnt', ['--json', '-o', 'TARGET,FSTYPE,OPTIONS', '-T', folder], { encoding: 'utf8' });
    const { target, fstype, options } = JSON.parse(told).filesystems[0];
    const isSmall = fstype === 'tmpfs' && !/huge=(always|within_size|advise)/.test(options);
    assert.equal(smallPagesOf(folder), isSmall ? target : undefined);
  });
}

test('a mount of one’s own gives huge pages when it was asked to', t => {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-pages-'));
  t.after(() => rmdirSync(folder));
  const script = `
    set -e
    mount -t tmpfs -o size=1m,huge=$1 tmpfs "$0"
    exec "$2" --import tsx -e 'import("./src/app/services/small-pages.ts").then(m => console.log(m.smallPagesOf(process.argv[1])))' "$0"`;
  const ask = (huge: string) =>
    execFileSync(
      'unshare',
      ['--user', '--map-root-user', '--mount', 'sh', '-c', script, folder, huge, process.execPath],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    ).trim();
  try {
    execFileSync('unshare', ['--user', '--map-root-user', '--mount', 'true'], { stdio: 'ignore' });
  } catch {
    t.skip('no namespaces for users here');
    return;
  }
  assert.equal(ask('never'), folder);
  assert.equal(ask('advise'), 'undefined');
});

test('what is not there has none', () => assert.equal(smallPagesOf('/nothing/there'), undefined));
