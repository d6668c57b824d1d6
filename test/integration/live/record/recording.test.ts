import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { complaints, MediaFolder, probe } from '../../../support/ffmpeg.js';
import { parseFlv } from '../../../support/flv.js';
import { LiveEdge } from '../../../support/live-edge.js';
import { kill } from '../../../support/processes.js';
import { ffmpegPublishing, Program } from '../../../support/rtmp-programs.js';
import { until } from '../../../support/until.js';

const folder = mkdtempSync('/dev/shm/moovedge-recordings-');
after(() => rmSync(folder, { recursive: true, force: true }));

function recordings(end: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith(end));
}

it('a recording is a film of the edge, over restarts of its publisher, and viewers go back in it while it grows', async () => {
  mkdirSync(folder, { recursive: true });
  const live = await LiveEdge.start(`grace: 5s, buffer: 2s, hls: {window: 0}, record: {path: ${folder}}`, {
    origin: folder,
  });
  const media = await MediaFolder.make();
  try {
    for (let i = 0; i < 2; i++) {
      const program = new Program('ffmpeg', ffmpegPublishing({ url: live.url('studio/main'), duration: 2 }));
      assert.equal(await program.exited, 0, program.errors);
    }
    // The ring has the last two seconds of four.
    const [all, last] = await Promise.all(
      ['0', '-0.5'].map(start => live.edge.get(`/live/studio/main.flv?start=${start}`)),
    );
    const [name = ''] = await until('a recording', () => {
      const found = recordings('.flv');
      return found.length > 0 && found;
    });
    assert.deepEqual(recordings('.part'), []);
    const whole = await live.edge.get(`/${name}`);
    assert.equal(whole.status, 200);
    const tags = parseFlv(whole.body);
    const frames = tags.filter(({ type, data }) => type === 9 && data[1] === 1);
    assert.equal(frames.length, 100);
    assert.ok(frames.at(-1)!.timestamp >= 3900, `${frames.at(-1)!.timestamp} ms`);
    assert.equal(await complaints(await media.write(whole.body, 'flv')), '');
    const media8and9 = (body: Buffer) => parseFlv(body).filter(({ type, data }) => type !== 18 && data[1] !== 0);
    assert.deepEqual(media8and9(all!.body), media8and9(whole.body));
    assert.equal(await complaints(await media.write(all!.body, 'flv')), '');
    const [first] = media8and9(last!.body).filter(({ type }) => type === 9);
    const end = frames.at(-1)!.timestamp;
    assert.equal(first!.data[0], 0x17);
    assert.ok(first!.timestamp <= end - 500 && first!.timestamp > end - 1600, `${first!.timestamp} of ${end}`);
    const sought = await live.edge.get(`/${name}?start=1`);
    assert.equal(sought.status, 200);
    assert.equal(parseFlv(sought.body).filter(({ type, data }) => type === 9 && data[1] === 1).length, 75);
  } finally {
    await media.remove();
    await live.edge.end();
  }
});

it('a recording as fragmented MP4 is a film, too, from its end on, and what an ingest that is killed leaves of it', async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const settings = `grace: 0, record: {path: ${folder}, format: fmp4}`;
  const live = await LiveEdge.start(settings, { origin: folder });
  const media = await MediaFolder.make();
  const endless = () => new Program('ffmpeg', ffmpegPublishing({ url: live.url('studio/cut'), duration: 60 }));
  let killed: Program | undefined;
  try {
    const program = new Program('ffmpeg', ffmpegPublishing({ url: live.url('studio/main'), duration: 3 }));
    const growing = await until('a recording that grows', () => recordings('.mp4.part')[0]);
    const name = growing.slice(0, -'.part'.length);
    assert.equal((await live.edge.get(`/${name}`)).status, 404, 'no viewer gets half of it');
    assert.equal(await program.exited, 0, program.errors);
    await until('its end', () => recordings('.mp4').length > 0);
    killed = endless();
    const part = await until('bytes on the disk', () => {
      const [found] = recordings('.mp4.part');
      return found !== undefined && statSync(join(folder, found)).size > 20_000 ? found : undefined;
    });
    kill(live.ingestPid!);
    const cut = part.slice(0, -'.part'.length);
    await until('a finished recording', () => recordings('.mp4').includes(cut));
    const whole = await until('no answer that is kept', async () => {
      const answer = await live.edge.get(`/${name}`);
      return answer.status === 200 && answer;
    });
    const bodies = [whole, await live.edge.get(`/${name}?start=1`), await live.edge.get(`/${cut}`)];
    assert.deepEqual(
      bodies.map(({ status }) => status),
      [200, 200, 200],
    );
    const files = await Promise.all(bodies.map(({ body }) => media.write(body, 'mp4')));
    assert.equal(await complaints(...files), '');
    const frames = async (file: string) => (await probe(file)).packets.filter(({ track }) => track === 'video0').length;
    assert.deepEqual(await Promise.all(files.slice(0, 2).map(frames)), [75, 50]);
    const playlist = await live.edge.get(`/${name}/hls.m3u8`);
    assert.equal(playlist.status, 200);
    assert.match(playlist.body.toString(), /avc1.*mp4a/);
  } finally {
    killed?.child.kill('SIGKILL');
    await killed?.exited;
    await media.remove();
    await live.edge.end();
  }
});

it('a recording of an ingest that is killed is finished by the next one', async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const live = await LiveEdge.start(`record: {path: ${folder}}`);
  const program = new Program('ffmpeg', ffmpegPublishing({ url: live.url('studio/main'), duration: 60 }));
  try {
    const { size } = await until('bytes on the disk', async () => {
      const [part] = recordings('.part');
      if (part === undefined) return undefined;
      const status = statSync(join(folder, part));
      return status.size > 1000 && status;
    });
    kill(live.ingestPid!);
    const [name = ''] = await until('a finished recording', () => {
      const found = recordings('.flv');
      return found.length > 0 && found;
    });
    const bytes = readFileSync(join(folder, name));
    assert.ok(bytes.length > 0 && bytes.length <= size + 1_000_000);
    assert.ok(parseFlv(bytes).length > 0);
  } finally {
    program.child.kill('SIGKILL');
    await program.exited;
    await live.edge.end();
  }
});
