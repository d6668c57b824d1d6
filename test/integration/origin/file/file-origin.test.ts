import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FileOrigin } from '../../../../src/origin/file/file-origin.js';
import { contentAt } from '../../../support/content.js';
import { fetchInto } from '../../../support/recording-sink.js';
import { until } from '../../../support/until.js';

const SIZE = 1_000_000;
let folder: string;
let root: string;
let origin: FileOrigin;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'moovedge-file-'));
  root = join(folder, 'root');
  mkdirSync(join(root, 'dir'), { recursive: true });
  write('/f');
  writeFileSync(join(folder, 'secret'), 'secret');
  origin = new FileOrigin({ name: 'files', directory: root });
});
after(async () => {
  await origin.close();
  rmSync(folder, { recursive: true });
});

/** Puts the content of a path into the file of that path. */
function write(path: string, version = 'v1', size = SIZE): void {
  writeFileSync(join(root, path), contentAt(path, version, 0, size));
}

/** Paths of the files that the process has open, sockets and the like left out. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith('/') ? path : [];
    } catch {
      // The one by which the folder was read.
      return [];
    }
  });
}

/** What the process had open before any test. */
const openBefore = openFiles();

/** Waits until nothing is open any more that a test has opened: files are closed without anybody waiting for it. */
async function nothingOpen(): Promise<void> {
  const left = () => openFiles().filter(path => !openBefore.includes(path));
  await until(
    () => `nothing to stay open, found ${left()}`,
    () => left().length === 0,
  );
}

test('whole files, ranges, ranges past the end, empty files', async () => {
  const whole = fetchInto(origin, { path: '/f' });
  assert.equal(await whole.over, 'ended');
  assert.deepEqual([whole.answer!.status, whole.answer!.length, whole.answer!.size], [200, SIZE, SIZE]);
  const part = fetchInto(origin, { path: '/f', range: { start: 300_001, end: 900_000 } });
  assert.equal(await part.over, 'ended');
  assert.deepEqual([part.answer!.status, part.answer!.offset, part.bytesSeen], [206, 300_001, 599_999]);
  const past = fetchInto(origin, { path: '/f', range: { start: SIZE - 5, end: Number.POSITIVE_INFINITY } });
  assert.equal(await past.over, 'ended');
  assert.equal(past.bytesSeen, 5);
  const outside = fetchInto(origin, { path: '/f', range: { start: SIZE, end: SIZE + 1 } });
  assert.equal(await outside.over, 'range_not_satisfiable');
  assert.deepEqual([outside.refused!.status, outside.refused!.size], [416, SIZE]);
  assert.equal(outside.error!.options.headers!['Content-Range'], `bytes */${SIZE}`);
  write('/empty', 'v1', 0);
  for (const range of [undefined, { start: 0, end: 10 }]) {
    const empty = fetchInto(origin, { path: '/empty', range });
    assert.equal(await empty.over, 'ended');
    assert.deepEqual([empty.answer!.status, empty.answer!.size], [200, 0]);
  }
});

test('the validator changes with every write, and conditions hold to it', async () => {
  write('/v');
  const first = fetchInto(origin, { path: '/v', range: { start: 0, end: 10 } });
  await first.over;
  const { validator } = first.answer!;
  assert.match(validator.etag!, /^"[0-9a-z]+-[0-9a-z]+-[0-9a-z]+"$/);
  assert.equal(new Date(validator.lastModified!).toUTCString(), validator.lastModified);
  assert.equal(first.answer!.fields['last-modified'], validator.lastModified);
  const same = fetchInto(origin, { path: '/v', condition: { kind: 'same', validator } });
  assert.equal(await same.over, 'ended');
  const unchanged = fetchInto(origin, { path: '/v', condition: { kind: 'changed', validator } });
  assert.equal(await unchanged.over, 'ended');
  assert.deepEqual([unchanged.answer!.status, unchanged.bytesSeen], [304, 0]);
  const changes: (() => void)[] = [
    () => write('/v', 'v2'),
    () => utimesSync(join(root, 'v'), new Date(), new Date(1_500_000_000_000)),
    () => {
      // Another file of the same size and time.
      writeFileSync(join(root, 'w'), contentAt('/v', 'v3', 0, SIZE));
      utimesSync(join(root, 'w'), new Date(), new Date(1_500_000_000_000));
      renameSync(join(root, 'w'), join(root, 'v'));
    },
  ];
  let { etag } = validator;
  for (const change of changes) {
    change();
    const fresh = fetchInto(
      origin,
      { path: '/v', condition: { kind: 'changed', validator: { etag, lastModified: undefined } } },
      { keep: true },
    );
    assert.equal(await fresh.over, 'ended');
    assert.equal(fresh.answer!.status, 200);
    const stale = fetchInto(origin, {
      path: '/v',
      condition: { kind: 'same', validator: { etag, lastModified: undefined } },
    });
    assert.equal(await stale.over, 'object_changed');
    etag = fresh.answer!.validator.etag;
  }
});

test('names with special characters, as they come encoded', async () => {
  for (const name of ['a b+c&d#e?f%g', 'ünï', '映画.mp4', 'x\'y"z;!*()', '...', '-', '~']) {
    writeFileSync(join(root, 'dir', name), name);
    const sink = fetchInto(origin, { path: `/dir/${encodeURIComponent(name)}` }, { keep: true });
    assert.equal(await sink.over, 'ended', name);
    assert.equal(Buffer.concat(sink.kept).toString(), name);
  }
});

test('nothing outside the directory, nothing that is no regular file, and nothing hangs', async t => {
  symlinkSync('../secret', join(root, 'relative-link'));
  symlinkSync(join(folder, 'secret'), join(root, 'absolute-link'));
  symlinkSync(folder, join(root, 'dir-link'));
  symlinkSync('/', join(root, 'root-link'));
  symlinkSync('/dev/zero', join(root, 'device-link'));
  symlinkSync('/proc/self/environ', join(root, 'proc-link'));
  symlinkSync('loop', join(root, 'loop'));
  symlinkSync('never', join(root, 'dangling'));
  symlinkSync('dir-link/root/f', join(root, 'there-and-back'));
  symlinkSync('f', join(root, 'inner-link'));
  execFileSync('mkfifo', [join(root, 'fifo')]);
  const socket = createServer().listen(join(root, 'socket'));
  t.after(() => socket.close());
  await once(socket, 'listening');
  // A sibling whose name begins like the root's.
  mkdirSync(`${root}-other`);
  writeFileSync(`${root}-other/f`, 'secret');
  symlinkSync(`${root}-other/f`, join(root, 'sibling-link'));
  writeFileSync(join(root, 'back\\slash'), 'x');
  const paths = [
    ...[
      '/..',
      '/../secret',
      '/dir/../../secret',
      '/%2e%2e/secret',
      '/%2E./secret',
      '/dir/%2e%2e/%2e%2e/secret',
      '/./f',
      '/%2e/f',
    ],
    ...[
      '/..%2fsecret',
      '/dir%2f..%2f..%2fsecret',
      '/..%5csecret',
      '/..\\secret',
      '/%c0%ae%c0%ae/secret',
      '/%252e%252e/secret',
    ],
    ...['/f%00', '/f%00.mp4', '/%00', '/f\0', '/back%5Cslash', '/back\\slash'],
    ...[
      '/',
      '',
      'f',
      '//f',
      '/dir',
      '/dir/',
      '/f/',
      '/f/x',
      '/none',
      '/%',
      '/%zz',
      '/%ff',
      `/${'a'.repeat(300)}`,
      `/${'a/'.repeat(5000)}b`,
    ],
    ...[
      '/relative-link',
      '/absolute-link',
      '/dir-link/secret',
      '/root-link/etc/passwd',
      '/device-link',
      '/proc-link',
      '/loop',
      '/dangling',
    ],
    ...['/fifo', '/socket', '/sibling-link'],
  ];
  for (const path of paths) {
    const sink = fetchInto(origin, { path });
    assert.equal(await sink.over, 'not_found', path);
    assert.equal(sink.error!.status, 404);
    assert.doesNotMatch(sink.error!.message, /tmp|secret/);
  }
  for (const path of ['/inner-link', '/there-and-back']) {
    const sink = fetchInto(origin, { path }, { keep: true });
    assert.equal(await sink.over, 'ended', path);
    assert.deepEqual(Buffer.concat(sink.kept), contentAt('/f', 'v1', 0, SIZE));
  }
  await nothingOpen();
});

test('a directory that is exchanged for a link while files are opened leads nowhere', async () => {
  const trap = join(root, 'trap');
  mkdirSync(trap);
  mkdirSync(join(folder, 'outside'));
  writeFileSync(join(folder, 'outside', 'f'), 'secret');
  writeFileSync(join(trap, 'f'), 'inside');
  let outcomes = 0;
  for (let i = 0; i < 300; i++) {
    const sink = fetchInto(origin, { path: '/trap/f' }, { keep: true });
    if (i % 2 === 0) {
      renameSync(trap, `${trap}-aside`);
      symlinkSync('../outside', trap);
    } else {
      rmSync(trap);
      renameSync(`${trap}-aside`, trap);
    }
    if ((await sink.over) === 'ended') {
      assert.equal(Buffer.concat(sink.kept).toString(), 'inside');
      outcomes++;
    }
  }
  assert.ok(outcomes > 0, 'some were found');
});

test('a root that is a link may be turned to another directory', async () => {
  for (const name of ['one', 'two']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'f'), name);
  }
  const current = join(folder, 'current');
  symlinkSync('one', current);
  const turned = new FileOrigin({ name: 'current', directory: current });
  const read = async () => {
    const sink = fetchInto(turned, { path: '/f' }, { keep: true });
    await sink.over;
    return Buffer.concat(sink.kept).toString();
  };
  assert.equal(await read(), 'one');
  symlinkSync('two', join(folder, 'next'));
  renameSync(join(folder, 'next'), current);
  assert.equal(await read(), 'two');
});

test('a file that is written, truncated or appended to while it is read', async () => {
  const acts: ((path: string) => void)[] = [
    path => truncateSync(path, 400_000),
    path => truncateSync(path, 0),
    path => appendFileSync(path, 'more'),
    path => {
      const fd = openSync(path, 'r+');
      writeSync(fd, 'overwritten', 900_000);
      closeSync(fd);
    },
  ];
  for (const act of acts) {
    write('/changing');
    utimesSync(join(root, 'changing'), new Date(), new Date(1_500_000_000_000));
    const sink = fetchInto(origin, { path: '/changing' });
    sink.onEvent = kind => {
      if (kind === 'bytes' && sink.bytesSeen <= 262_144) act(join(root, 'changing'));
    };
    assert.equal(await sink.over, 'object_changed');
    assert.equal(sink.bytesSeen, 262_144, 'what came before is right, and nothing is made up');
  }
  // A file that is replaced under its name is read on as it was.
  write('/replaced');
  const sink = fetchInto(origin, { path: '/replaced' });
  sink.onEvent = () => {
    writeFileSync(join(root, 'new'), contentAt('/replaced', 'v2', 0, SIZE));
    renameSync(join(root, 'new'), join(root, 'replaced'));
  };
  assert.equal(await sink.over, 'ended');
});

test('pause, resume and cancel', async () => {
  const sink = fetchInto(origin, { path: '/f' }, { onEvent: s => s.fetch.pause() });
  for (let seen = -1; sink.bytesSeen < SIZE; seen = sink.bytesSeen) {
    await new Promise(resolve => setTimeout(resolve, 10));
    assert.ok(seen < 0 || sink.bytesSeen - seen <= 262_144, 'a chunk at a time');
    sink.fetch.resume();
  }
  assert.equal(await sink.over, 'ended');
  fetchInto(origin, { path: '/f' }).cancel();
  for (const at of ['answered', 'bytes'] as const) {
    const cancelled = fetchInto(origin, { path: '/f' }, { onEvent: (s, kind) => kind === at && s.cancel() });
    while (!cancelled.answer) await new Promise(setImmediate);
  }
  const paused = fetchInto(origin, { path: '/f' }, { onEvent: s => s.fetch.pause() });
  while (!paused.answer) await new Promise(setImmediate);
  paused.cancel();
  await nothingOpen();
  assert.equal(origin.stats.active, 0);
});

test('stats, and close', async () => {
  const seconds: number[] = [];
  const counted = new FileOrigin({ name: 'counted', directory: root, observer: { ttfb: s => seconds.push(s) } });
  await fetchInto(counted, { path: '/f', range: { start: 0, end: 1000 } }).over;
  await fetchInto(counted, { path: '/none' }).over;
  assert.deepEqual({ ...counted.stats.requests }, { 206: 1, not_found: 1 });
  assert.equal(counted.stats.responseBytes, 1000);
  assert.equal(seconds.length, 1);
  const running = fetchInto(counted, { path: '/f' }, { onEvent: s => s.fetch.pause() });
  await counted.close();
  assert.equal(await running.over, 'origin_unavailable');
  assert.equal(await fetchInto(counted, { path: '/f' }).over, 'origin_unavailable');
});

test('a file that may not be read is forbidden; a directory that is none is a wrong configuration', async () => {
  linkSync(join(root, 'f'), join(root, 'g'));
  for (const directory of [join(folder, 'none'), join(root, 'f'), '', join(root, 'f', 'x')]) {
    assert.throws(() => new FileOrigin({ name: 'x', directory }), { code: 'bad_config' });
  }
  writeFileSync(join(root, 'private'), 'x', { mode: 0 });
  mkdirSync(join(folder, 'closed'), { mode: 0 });
  // The superuser may read everything.
  const superuser = process.geteuid!() === 0;
  if (superuser) {
    chmodSync(folder, 0o755);
    process.seteuid!(65534);
  }
  try {
    assert.equal(await fetchInto(origin, { path: '/private' }).over, 'forbidden');
    assert.throws(() => new FileOrigin({ name: 'x', directory: join(folder, 'closed') }), { code: 'bad_config' });
  } finally {
    if (superuser) process.seteuid!(0);
  }
});
