// `node test/run-files.mjs RESULT CONCURRENCY FILES…`: runs files of tests, so many at once, and when that is more than
// one, beside them one by one those that browsers take part in or that wait more than they work. Tells standard output
// as reporter.mjs has it, and the file RESULT the paths of those that failed, a line each.
import { writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import report from './reporter.mjs';

/** Milliseconds that a file of tests may take on a machine that is busy with other things, too. */
const TIMEOUT = 600_000;
/** Begin paths of files that run one at a time, in this order: those with browsers, and those that mostly wait. */
const ASIDE = [
  'test/browser/',
  'test/integration/pipeline/roles.test.ts',
  'test/integration/pipeline/swift.test.ts',
  'test/fault/pipeline/',
  'test/integration/cluster/control.test.ts',
  'test/integration/cluster/edges.test.ts',
  'test/fault/cluster/etcd-faults.test.ts',
  'test/integration/delivery/paused.test.ts',
  'test/integration/http/node/floods.test.ts',
  'test/integration/edge/disk-writes.test.ts',
  'test/integration/edge/quotas.test.ts',
  'test/fault/edge/stopped-process.test.ts',
  'test/fault/media/flv-seeks.test.ts',
  'test/fault/origin/http/http-origin-faults.test.ts',
  'test/integration/live/delivery/',
  'test/integration/cluster/etcd/',
  'test/unit/cache/read/reader-source.test.ts',
  'test/integration/live/record/',
  'test/integration/live/publish/',
];

const [result, concurrency, ...files] = process.argv.slice(2);
const asideOf = file => (concurrency === '1' ? -1 : ASIDE.findIndex(start => file.startsWith(start)));
const aside = files.filter(file => asideOf(file) >= 0).sort((a, b) => asideOf(a) - asideOf(b));
const others = files.filter(file => asideOf(file) < 0);

/** Events of a run, those of one file together. */
async function* byFile(events) {
  let group = [];
  for await (const event of events) {
    const { file } = event.data;
    if (group.length > 0 && file !== undefined && file !== group[0].data.file) {
      yield group;
      group = [];
    }
    group.push(event);
  }
  yield group;
}

/** Groups of several runs as they come. */
async function* merged(runs) {
  const nextOf = async run => ({ run, ...(await run.next()) });
  const nexts = new Map(runs.map(run => [run, nextOf(run)]));
  while (nexts.size > 0) {
    const { run, done, value } = await Promise.race(nexts.values());
    if (done) nexts.delete(run);
    else {
      nexts.set(run, nextOf(run));
      yield* value;
    }
  }
}

const failed = new Set();
/** Node's figures at the end of each run, summed. */
const figures = new Map();
/** Notes the files that fail, and figures instead of passing them on. */
async function* noted(events) {
  for await (const event of events) {
    const { type, data } = event;
    if (type === 'test:fail' && data.file !== undefined) failed.add(relative(process.cwd(), data.file));
    const [, name, count] = (type === 'test:diagnostic' && /^(\w+) ([\d.]+)$/.exec(data.message)) || [];
    if (name === undefined || data.nesting > 0) yield event;
    else figures.set(name, (figures.get(name) ?? 0) + Number(count));
  }
  figures.set('duration_ms', Math.round(performance.now()));
  for (const [name, count] of figures)
    yield { type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${count}` } };
}

const runs = [
  { list: others, concurrency: Number(concurrency) },
  { list: aside, concurrency: 1 },
]
  .filter(({ list }) => list.length > 0)
  .map(({ list, concurrency }) =>
    byFile(run({ files: list.map(file => resolve(file)), concurrency, timeout: TIMEOUT })),
  );
for await (const text of report(noted(merged(runs)))) process.stdout.write(text);
writeFileSync(result, [...failed].map(file => `${file}\n`).join(''));
process.exitCode = failed.size > 0 ? 1 : 0;
