import { EdgeError } from '../base/errors.js';
import type { ConfigSources } from '../config/load.js';
import type { Command } from './command-line.js';

/** Uploads, and the films that are made of them. */
export function addPipelineCommands(program: Command): void {
  interface PipelineFlags {
    readonly config?: string;
    readonly adminPort?: string;
  }
  const sourcesOf = ({ config, adminPort }: PipelineFlags): ConfigSources => ({
    file: config,
    flags: adminPort === undefined ? [] : [{ flag: '--admin-port', path: ['admin', 'port'], value: adminPort }],
    env: process.env,
  });
  const command = (name: string, text: string, parent = program) =>
    parent.command(name).description(text).option('--config <file>', 'YAML file with storage and jobs');
  const write = (text: string) => process.stdout.write(text);
  command('upload', 'take uploads that go on after any break (tus 1.0), and queue them for transcoding')
    .option('--admin-port <port>', 'port for health and the page of the queue')
    .action(async (flags: PipelineFlags) =>
      (await optional(() => import('../pipeline/upload/upload-role.js'))).upload(sourcesOf(flags)),
    );
  command('transcode', 'make films of uploads, in several qualities, as the queue asks')
    .option('--admin-port <port>', 'port for health and the page of the queue')
    .action(async (flags: PipelineFlags) =>
      (await optional(() => import('../pipeline/transcode/transcode-role.js'))).transcode(sourcesOf(flags)),
    );
  const jobs = program.command('jobs').description('look at the queue of films that are to be made, and change it');
  const load = () => optional(() => import('./jobs.js'));
  command('list', 'what is running, waiting, failed and done', jobs)
    .option('--json', 'for machines')
    .action(async (flags: PipelineFlags & { json?: boolean }) =>
      (await load()).listJobs(sourcesOf(flags), flags.json === true, write),
    );
  command('retry', 'have failed jobs tried again', jobs)
    .argument('<ids...>', 'of jobs')
    .action(async (ids: string[], flags: PipelineFlags) => (await load()).retryJobs(sourcesOf(flags), ids, write));
  command('cancel', 'remove jobs and their uploads; those that run end within seconds', jobs)
    .argument('<ids...>', 'of jobs')
    .action(async (ids: string[], flags: PipelineFlags) => (await load()).cancelJobs(sourcesOf(flags), ids, write));
  command('rebuild', 'make the jobs of all uploads that have neither film nor job', jobs).action(
    async (flags: PipelineFlags) => (await load()).rebuildQueue(sourcesOf(flags), write),
  );
}

/** Loads what needs packages that not every machine has. @throws EdgeError `bad_config` that names what is missing */
async function optional<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    const name = /package '([^']+)'/.exec(message)?.[1] ?? 'an optional package';
    throw new EdgeError('bad_config', `expected the package ${name}, which is not installed: npm install ${name}`, {
      cause,
    });
  }
}
