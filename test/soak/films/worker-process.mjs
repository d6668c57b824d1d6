// A worker of films over a directory, as `moovedge transcode` makes it, in which something dies at a step it is told.
// It waits for a message with what it is to be, `{root, config, death}`, and is armed anew by others, `{death}`; a
// death is `{step, victim}`. What it is at it writes to ROOT/worker-PID.
import child_process from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { silentLog } from '../../../dist/base/log.js';
import { JobQueue } from '../../../dist/pipeline/jobs/job-queue.js';
import { DirectoryStorage } from '../../../dist/pipeline/storage/directory-storage.js';
import { FilmMaker } from '../../../dist/pipeline/transcode/film-maker.js';
import { Scratch } from '../../../dist/pipeline/transcode/scratch.js';
import { TranscodeWorker } from '../../../dist/pipeline/transcode/transcode-worker.js';

process.on('disconnect', () => process.exit());
const [first] = await once(process, 'message');
const { root, config } = first;
let { death } = first;
let id = '';
process.on('message', message => {
  if (message === 'close') void close();
  else ({ death } = message);
});

/** Kills whom it is to kill when it is time. @param tool the process that works at this step */
function pass(step, tool) {
  if (death?.step !== step) return;
  const { victim } = death;
  death = undefined;
  if (victim === 'worker') process.kill(process.pid, 'SIGKILL');
  if (victim === 'tool') process.kill(tool.pid, 'SIGKILL');
  // Redis is killed by who started it.
  process.send({ fired: { step, victim } });
}

function stepOf(args) {
  const file = args.at(-1);
  if (args.includes('ffprobe')) {
    if (args.includes('-show_streams')) return 'probe';
    return file.endsWith('/source') ? 'count' : `check ${file.split('/').at(-1)}`;
  }
  if (args.includes('-filter_complex')) return 'encode';
  return file.endsWith('poster.jpg') ? 'poster' : 'timeline';
}

const { spawn } = child_process;
child_process.spawn = (program, args, options) => {
  const child = spawn(program, args, options);
  const step = stepOf(args);
  // ffmpeg is at work when it has told how far it is, ffprobe is soon done.
  if (step === 'encode') child.stdout.once('data', () => pass(step, child));
  else child.once('spawn', () => pass(step, child));
  return child;
};
syncBuiltinESMExports();

/** What is done to the storage, by name of the object. */
const storage = new DirectoryStorage(join(root, 'storage'));
for (const method of ['get', 'put', 'putFile', 'remove']) {
  const act = storage[method].bind(storage);
  storage[method] = async (key, ...rest) => {
    const name = key.split('/').at(-1);
    const step = `${method} ${/^\d+-\d+$/.test(name) ? 'piece' : name}`;
    pass(`before ${step}`);
    const result = await act(key, ...rest);
    if (method === 'put' && name === 'winner.json' && result) appendFileSync(join(root, 'published'), `${id}\n`);
    pass(`after ${step}`);
    return result;
  };
}

const scratch = await Scratch.open(join(root, 'scratch'));
const films = new FilmMaker(storage, config.transcode, scratch.folder);
const maker = {
  async make(film, options) {
    id = film;
    writeFileSync(join(root, `worker-${process.pid}`), JSON.stringify({ id, begun: Date.now() }));
    process.send({ begun: id });
    pass('begin');
    const made = await films.make(id, {
      signal: options.signal,
      progress(progress) {
        pass(`before progress ${progress.step}`);
        options.progress(progress);
        pass(`after progress ${progress.step}`);
      },
      async mayPublish() {
        pass('before the last look');
        await options.mayPublish();
        pass('after the last look');
      },
    });
    pass('end');
    return made;
  },
};
const queue = new JobQueue(config, silentLog);
const worker = new TranscodeWorker(config, queue, maker, silentLog);

async function close() {
  await worker.close();
  await scratch.close();
  await queue.close();
  process.exit();
}

worker.start();
process.send('ready');
