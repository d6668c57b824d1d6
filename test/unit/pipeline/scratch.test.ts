import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { Scratch } from '../../../src/pipeline/transcode/scratch.js';
import { told } from '../../support/told.js';

const root = mkdtempSync(join(tmpdir(), 'moovedge-scratch-'));
after(() => rmSync(root, { recursive: true, force: true }));

it('a worker removes what dead ones have left, and nothing else', async () => {
  const living = await Scratch.open(root);
  writeFileSync(join(living.folder, 'source'), 'in use');
  // One that dies without a word leaves a folder and a socket.
  const script = join(root, 'die.mjs');
  writeFileSync(
    script,
    `import { createServer } from 'node:net';
     import { mkdirSync, writeFileSync } from 'node:fs';
     const folder = ${JSON.stringify(join(root, 'worker-0123456789ab'))};
     createServer().listen(folder + '.alive', () => {
       mkdirSync(folder);
       writeFileSync(folder + '/source', 'left');
       process.send('ready');
     });`,
  );
  const child = fork(script, { execArgv: [] });
  await told(child);
  const second = await Scratch.open(root);
  assert.ok(existsSync(join(root, 'worker-0123456789ab/source')), 'a living worker lost its files');
  child.kill('SIGKILL');
  await once(child, 'exit');
  mkdirSync(join(root, 'somebody else’s'));
  const third = await Scratch.open(root);
  const mine = () => readdirSync(root).filter(name => name.startsWith('worker-0123456789ab'));
  assert.deepEqual(mine(), ['worker-0123456789ab.alive'], 'a socket goes only when it is old');
  const old = Date.now() / 1000 - 3600;
  utimesSync(join(root, 'worker-0123456789ab.alive'), old, old);
  await (await Scratch.open(root)).close();
  assert.deepEqual(mine(), []);
  assert.ok(existsSync(join(living.folder, 'source')) && existsSync(join(root, 'somebody else’s')));
  await Promise.all([living, second, third].map(each => each.close()));
  assert.deepEqual(readdirSync(root).sort(), ['die.mjs', 'somebody else’s']);
});

it('a place that can’t be written to is told', async () => {
  writeFileSync(join(root, 'file'), '');
  await assert.rejects(Scratch.open(join(root, 'file')), {
    code: 'bad_config',
    message: /^transcode\.scratch: expected/,
  });
  await assert.rejects(Scratch.open(join(root, 'x'.repeat(120))), { code: 'bad_config', message: /shorter path/ });
});
