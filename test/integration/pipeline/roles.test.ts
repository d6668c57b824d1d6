import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type Uppy from '@uppy/core';
import type Tus from '@uppy/tus';
import { build } from 'esbuild';
import { Upload as TusUpload } from 'tus-js-client';
import type { JobStatus } from '../../../src/pipeline/jobs/job.js';
import { launchChromium, openPage } from '../../support/chromium.js';
import { CLI } from '../../support/edge-command.js';
import { MediaFolder } from '../../support/ffmpeg.js';
import { freePorts } from '../../support/ports.js';
import { commandLine, isAlive, processTree } from '../../support/processes.js';
import { RedisServer } from '../../support/redis.js';
import { until } from '../../support/until.js';

/** What is used of uppy in a page. */
type UppyBundle = { readonly Uppy: typeof Uppy; readonly Tus: typeof Tus };

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'moovedge-roles-'));
const storage = join(folder, 'storage');
const config = join(folder, 'pipeline.yaml');
const TOKEN = 'a-token-of-some-uploader';
let redis: RedisServer;
let media: MediaFolder;
let film: string;
let ports: number[];
const children = new Set<ChildProcess>();

/** Starts a role as an operator does, and waits until it is ready. */
async function start(
  role: 'upload' | 'transcode' | 'serve',
  adminPort: number,
  more: string[] = [],
): Promise<ChildProcess> {
  const admin = role === 'serve' ? [] : ['--admin-port', String(adminPort)];
  const child = spawn(process.execPath, [CLI, role, '--config', config, ...admin, ...more], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.add(child);
  await until(
    `${role} to be ready`,
    async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined))?.ok,
  );
  return child;
}

async function kill(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

const uploads = () => `http://127.0.0.1:${ports[2]}/films/`;
const authorization = { Authorization: `Bearer ${TOKEN}` };

/** Sends a file as tus-js-client does. @returns the URL of the upload */
async function send(
  file: string,
  options: { chunkSize?: number; progress?: (sent: number) => void } = {},
): Promise<string> {
  const { size } = await stat(file);
  return await new Promise((resolve, reject) => {
    const upload = new TusUpload(createReadStream(file), {
      endpoint: uploads(),
      uploadSize: size,
      headers: authorization,
      metadata: { filename: '../../etc/passwd\u0000' },
      retryDelays: Array.from({ length: 480 }, () => 250),
      chunkSize: options.chunkSize ?? Number.POSITIVE_INFINITY,
      onProgress: options.progress,
      onError: reject,
      onSuccess: () => resolve(upload.url!),
    });
    upload.start();
  });
}

async function jobOf(url: string): Promise<JobStatus> {
  return (await (await fetch(url, { headers: authorization })).json()) as JobStatus;
}

async function filmOf(url: string): Promise<NonNullable<JobStatus['film']>> {
  const job = await until('a film', async () => {
    const found = await jobOf(url);
    assert.notEqual(found.state, 'failed', found.reason);
    return found.state === 'done' ? found : undefined;
  });
  return job.film!;
}

async function jobs(...args: string[]): Promise<string> {
  return (await run(process.execPath, [CLI, 'jobs', ...args, '--config', config])).stdout;
}

before(async () => {
  redis = await RedisServer.start();
  media = await MediaFolder.make();
  ports = await freePorts(6);
  mkdirSync(join(storage, 'films'), { recursive: true });
  const settings = {
    listen: { host: '127.0.0.1', port: ports[0] },
    admin: { host: '127.0.0.1', port: ports[1] },
    workers: 1,
    cache: { memory: { size: '64MiB', file: join(folder, 'edge.cache') } },
    origins: [{ name: 'films', url: join(storage, 'films') }],
    http: { cors: { origins: ['*'] } },
    storage: { url: storage },
    jobs: { redis: redis.url, lock: '3s' },
    upload: {
      ...{ host: '127.0.0.1', port: ports[2], path: '/films/', tokens: { someone: TOKEN }, maxSize: '64MiB' },
      origins: [`http://localhost:${ports[5]}`],
    },
    transcode: { qualities: [180, 120], preset: 'ultrafast', scratch: join(folder, 'scratch') },
  };
  writeFileSync(config, JSON.stringify(settings));
  film = await media.ffmpeg(
    'film.mkv',
    ...['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=8', '-f', 'lavfi', '-i', 'sine=duration=8'],
    ...['-c:v', 'ffv1', '-c:a', 'flac'],
  );
});

after(async () => {
  // Workers of an edge that is killed go on for a while, and write.
  await Promise.all([...children].map(child => kill(child, 'SIGTERM')));
  await redis.end();
  await media.remove();
  rmSync(folder, { recursive: true, force: true });
});

describe('upload, transcode and serve', () => {
  let upload: ChildProcess;
  let transcode: ChildProcess;

  before(async () => {
    upload = await start('upload', ports[3]!);
    await start('serve', ports[1]!);
  });

  it('refuse who has no token, what is too large or empty, and what is no upload, and keep nothing of it', async () => {
    const ask = async (method: string, path: string, headers: object, body?: Buffer) => {
      const init = {
        method,
        headers: { 'Tus-Resumable': '1.0.0', ...headers },
        body: body ? new Uint8Array(body) : null,
      };
      const answer = await fetch(new URL(path, uploads()), init);
      return { status: answer.status, text: await answer.text(), location: answer.headers.get('Location') };
    };
    const sized = (length: number | string) => ({ ...authorization, 'Upload-Length': String(length) });
    const unknown = '0'.repeat(32);
    const type = { 'Content-Type': 'application/offset+octet-stream' };
    for (const [status, method, path, headers] of [
      [401, 'POST', '', { 'Upload-Length': '1000' }],
      [401, 'POST', '', { 'Upload-Length': '1000', Authorization: 'Bearer wrong' }],
      [401, 'POST', '', { 'Upload-Length': '1000', Authorization: `Basic ${TOKEN}` }],
      [401, 'HEAD', unknown, {}],
      [413, 'POST', '', sized(65 * 1024 * 1024)],
      [400, 'POST', '', sized(0)],
      [400, 'POST', '', sized(-5)],
      [400, 'POST', '', sized('many')],
      [400, 'POST', '', authorization],
      [501, 'POST', '', { ...authorization, 'Upload-Defer-Length': '1' }],
      [400, 'POST', '', { ...sized(10), 'Upload-Metadata': 'filename not-base-64!' }],
      [412, 'POST', '', { ...sized(10), 'Tus-Resumable': '0.2.2' }],
      [404, 'HEAD', unknown, authorization],
      [404, 'HEAD', '..%2f..%2fx', authorization],
      [404, 'DELETE', unknown, authorization],
      [404, 'PATCH', unknown, { ...authorization, ...type, 'Upload-Offset': '0' }],
      [405, 'PUT', unknown, authorization],
    ] as const) {
      const answer = await ask(method, path, headers);
      assert.equal(answer.status, status, `${method} ${path} ${JSON.stringify(headers)}: ${answer.text}`);
    }
    assert.deepEqual(await readdir(join(storage, 'uploads')).catch(() => []), []);
    // Names are anything; they are never those of files.
    const names = ['../../etc/passwd', 'a\0b', '\u{1f600}"<script>', 'x'.repeat(5000), '/', 'CON', ''];
    for (const name of names) {
      const metadata = { 'Upload-Metadata': `filename ${Buffer.from(name).toString('base64')}`.trimEnd() };
      const { status, location } = await ask('POST', '', { ...sized(10), ...metadata });
      assert.equal(status, 201, name);
      const patch = { ...authorization, ...type };
      const wrong = [
        [409, { ...patch, 'Upload-Offset': '3' }, Buffer.alloc(5)],
        [413, { ...patch, 'Upload-Offset': '0' }, Buffer.alloc(11)],
        [403, { ...authorization, ...type }, Buffer.alloc(5)],
      ] as const;
      for (const [expected, headers, body] of wrong) {
        assert.equal((await ask('PATCH', location!, headers, body)).status, expected);
      }
      assert.equal((await ask('DELETE', location!, authorization)).status, 204);
    }
    assert.deepEqual(await readdir(join(storage, 'uploads')).catch(() => []), []);
  });

  it('go on with an upload after kills of its server, and play the film in all qualities', async () => {
    let kills = 0;
    let isBusy = false;
    const { size } = await stat(film);
    const url = await send(film, {
      chunkSize: 700_000,
      progress: sent => {
        if (isBusy || kills === 3 || sent < (size * (kills + 1)) / 4) return;
        [isBusy, kills] = [true, kills + 1];
        void kill(upload).then(async () => {
          upload = await start('upload', ports[3]!);
          isBusy = false;
        });
      },
    });
    assert.ok(kills > 0, 'no server was killed');
    await until('the last server', () => !isBusy);
    assert.match(await jobs('list'), /waiting/);
    transcode = await start('transcode', ports[4]!);
    const { hls, qualities } = await filmOf(url);
    assert.deepEqual(qualities, [180, 120]);
    const playlist = await (await fetch(`http://127.0.0.1:${ports[0]}/${hls}`)).text();
    assert.equal(playlist.match(/^#EXT-X-STREAM-INF/gm)?.length, 2, playlist);
    assert.match(await jobs('list'), new RegExp(`done.*${hls.replaceAll(/[.,]/g, '.')}`));
    assert.deepEqual(await readdir(join(storage, 'uploads')).catch(() => []), []);
  });

  it('kill ffmpeg with its worker, and make the film elsewhere', async () => {
    const long = await media.ffmpeg(
      'long.mkv',
      '-f',
      'lavfi',
      '-i',
      'testsrc2=size=640x360:rate=30:duration=20',
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
    );
    const url = await send(long);
    const encoder = await until('ffmpeg', () =>
      processTree(transcode.pid!).find(pid => /ffmpeg.*filter_complex/s.test(commandLine(pid))),
    );
    await kill(transcode);
    await until('ffmpeg to die with its worker', () => !isAlive(encoder));
    transcode = await start('transcode', ports[4]!);
    const { id, attempt } = await filmOf(url);
    assert.deepEqual((await readdir(join(storage, 'films', id))).sort(), [attempt, 'winner.json'].sort());
  });

  it('work without Redis as far as they can, and fill a lost queue again', async () => {
    await kill(transcode, 'SIGTERM');
    await redis.kill();
    const sent = send(film);
    const url = await sent;
    await redis.resume();
    await until('the job', async () => /waiting/.test(await jobs('list').catch(() => '')));
    await run('redis-cli', ['-u', redis.url, 'FLUSHALL']);
    // The server that takes uploads looks for such ones now and then, and may have been first.
    assert.match(await jobs('rebuild'), /^(1 job was|0 jobs were) made/);
    assert.match(await jobs('list'), /waiting/);
    assert.match(await jobs('rebuild'), /^0 jobs were made/);
    transcode = await start('transcode', ports[4]!);
    await filmOf(url);
  });

  it('tell the reason of each film that can’t be made, at once and without another try', async () => {
    const sound = await media.ffmpeg('sound.mp4', '-f', 'lavfi', '-i', 'sine=duration=1');
    const head = (await readFile(await media.ffmpeg('late.mp4', '-i', film, '-t', '1'))).subarray(0, 20_000);
    const text = Buffer.from('this is no film '.repeat(1000));
    const hostile = [
      [await media.write(text, 'mp4'), /expected a video, found something else/],
      [await media.write(Buffer.from([0]), 'mkv'), /expected a video, found something else/],
      [await media.write(Buffer.from('#EXTM3U\n#EXTINF:1,\n/etc/passwd\n'), 'm3u8'), /expected a video/],
      [await media.write(head, 'mp4'), /expected a video, found something else or a damaged file/],
      [sound, /expected a video, found a file without moving pictures/],
    ] as const;
    const sent = await Promise.all(hostile.map(async ([file, reason]) => ({ url: await send(file), reason })));
    for (const { url, reason } of sent) {
      const job = await until('a failure', async () => {
        const found = await jobOf(url);
        return found.state === 'failed' ? found : undefined;
      });
      assert.match(job.reason!, reason);
    }
    const listed = await jobs('list');
    const ids = sent.map(({ url }) => url.split('/').at(-1)!);
    for (const id of ids) assert.match(listed, new RegExp(`${id}  failed    1×`));
    assert.match(await jobs('cancel', ids[0]!), /cancelled/);
    const admin = `http://127.0.0.1:${ports[4]}/jobs/cancel`;
    const headers = { 'Content-Type': 'application/json' };
    for (const id of ids.slice(1)) {
      assert.equal((await fetch(admin, { method: 'POST', headers, body: JSON.stringify({ id }) })).status, 200);
    }
    assert.doesNotMatch(await jobs('list'), new RegExp(ids.join('|')));
    assert.deepEqual(await readdir(join(storage, 'uploads')).catch(() => []), []);
    assert.deepEqual(
      (await readdir(join(storage, 'films'))).filter(id => ids.includes(id)),
      [],
    );
  });

  it('take a film from a page, which then plays it in a quality of choice', async () => {
    const browser = await launchChromium();
    try {
      const page = await openPage(browser);
      await page.goto(`http://localhost:${ports[2]}/?edge=http://localhost:${ports[0]}&endpoint=/films/`);
      await page.evaluate(token => {
        (document.getElementById('token') as HTMLInputElement).value = token;
      }, TOKEN);
      await page.setInputFiles('#file', film);
      await page.waitForFunction(() => /^Ready/.test(document.getElementById('state')!.textContent!));
      await page.waitForFunction(() => document.querySelectorAll('#quality option').length === 3);
      for (const lines of ['120', '180']) {
        await page.evaluate(height => {
          const select = document.getElementById('quality') as HTMLSelectElement;
          select.value = [...select.options].find(({ text }) => text.startsWith(height))!.value;
          select.dispatchEvent(new Event('change'));
          const video = document.querySelector('video')!;
          video.currentTime = 0;
          void video.play();
        }, lines);
        await page.waitForFunction(height => document.querySelector('video')!.dataset.height === height, lines);
      }
      await page.waitForFunction(() => document.querySelector('video')!.currentTime > 0.5);
    } finally {
      await browser.close();
    }
  });

  it('take a film from uppy on a page of another site, over a kill of their server', async () => {
    const [, , , , , sitePort = 0] = ports;
    const { outputFiles } = await build({
      stdin: {
        contents: 'export { default as Uppy } from "@uppy/core"; export { default as Tus } from "@uppy/tus";',
        resolveDir: import.meta.dirname,
      },
      ...{ bundle: true, format: 'iife', globalName: 'uppy', write: false, logLevel: 'error' },
    });
    const site = createServer(({ url }, response) => {
      const isScript = url === '/uppy.js';
      response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
      response.end(isScript ? outputFiles[0]!.contents : '<input type=file id=file><script src=uppy.js></script>');
    });
    site.listen(sitePort, '127.0.0.1');
    const browser = await launchChromium();
    try {
      const page = await openPage(browser);
      await page.goto(`http://localhost:${sitePort}/`);
      await page.setInputFiles('#file', film);
      const sent = page.evaluate(
        async ({ endpoint, headers }) => {
          const { Uppy, Tus } = (window as unknown as { uppy: UppyBundle }).uppy;
          const uppy = new Uppy();
          uppy.use(Tus, { endpoint, headers, chunkSize: 500_000, retryDelays: Array.from({ length: 480 }, () => 250) });
          uppy.on('upload-progress', (_, { bytesUploaded }) => {
            document.title = String(bytesUploaded);
          });
          const [file] = (document.getElementById('file') as HTMLInputElement).files!;
          uppy.addFile({ name: 'a "film" of \u{1f600}\n.mkv', type: 'video/x-matroska', data: file! });
          const { failed = [], successful = [] } = (await uppy.upload())!;
          return { failed: failed.map(({ error }) => error), url: successful[0]?.uploadURL };
        },
        { endpoint: uploads(), headers: authorization },
      );
      await page.waitForFunction(() => Number(document.title) > 500_000);
      await kill(upload);
      upload = await start('upload', ports[3]!);
      const { failed, url } = await sent;
      assert.deepEqual(failed, []);
      assert.deepEqual((await filmOf(url!)).qualities, [180, 120]);
    } finally {
      await browser.close();
      site.close();
    }
  });

  it('show the queue on the admin port', async () => {
    const page = await (await fetch(`http://127.0.0.1:${ports[4]}/`)).text();
    assert.match(page, /jobs\.mjs/);
    const { counts } = (await (await fetch(`http://127.0.0.1:${ports[4]}/jobs`)).json()) as {
      counts: Record<string, number>;
    };
    assert.ok(counts.done! >= 1, JSON.stringify(counts));
    assert.ok((await readFile(config, 'utf8')).includes('someone'));
  });
});
