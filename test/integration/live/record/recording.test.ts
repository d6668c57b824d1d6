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

it('a recording of an ingest that is killed is gone on with by the next one, and so do viewers who go back', async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const live = await LiveEdge.start(`grace: 8s, buffer: 2s, hls: {window: 0}, record: {path: ${folder}}`);
  const media = await MediaFolder.make();
  const publish = (duration: number) =>
    new Program('ffmpeg', ffmpegPublishing({ url: live.url('studio/main'), duration }));
  const first = publish(60);
  try {
    const part = await until('five seconds on the disk', () => {
      const [found] = recordings('.part');
      const tags = found === undefined ? [] : parseFlv(wholeOf(readFileSync(join(folder, found))));
      return (tags.at(-1)?.timestamp ?? 0) > 5000 && found;
    });
    const before = parseFlv(wholeOf(readFileSync(join(folder, part!))));
    kill(live.ingestPid!);
    await first.exited;
    let second = publish(4);
    await until('a publisher that is let in', async () => {
      if (second.child.exitCode !== null && second.errors !== '') second = publish(4);
      return (await live.streams()).some(({ state }) => state === 'publishing');
    });
    assert.deepEqual(recordings('.part'), [part], 'it is the same file');
    const all = live.edge.get('/live/studio/main.flv?start=0');
    assert.equal(await second.exited, 0, second.errors);
    const name = part!.slice(0, -'.part'.length);
    await until('a finished recording', () => recordings('.flv').includes(name));
    assert.deepEqual(recordings(''), ['studio', name], 'there is no other');
    const bytes = readFileSync(join(folder, name));
    const frames = (body: Buffer) => parseFlv(body).filter(({ type, data }) => type !== 18 && data[1] !== 0);
    const whole = frames(bytes);
    const known = before.filter(({ type, data }) => type !== 18 && data[1] !== 0);
    assert.deepEqual(whole.slice(0, known.length), known);
    const pictures = whole.filter(({ type }) => type === 9).map(({ timestamp }) => timestamp);
    assert.ok(pictures.length >= 125 + 100, `${pictures.length} pictures`);
    // What the first publisher sent is there without a gap, up to its end.
    const gaps = pictures.slice(1).map((time, at) => time - pictures[at]!);
    assert.equal(gaps.filter(gap => gap > 60).length, 1, gaps.join(' '));
    assert.equal(await complaints(await media.write(bytes, 'flv')), '');
    assert.deepEqual(frames((await all).body), whole, 'who goes back over the death of the process gets all of it');
  } finally {
    first.child.kill('SIGKILL');
    await media.remove();
    await live.edge.end();
  }
});

/** What of a file that grows are whole tags. */
function wholeOf(bytes: Buffer): Buffer {
  let end = 13;
  while (end + 15 <= bytes.length && end + 15 + bytes.readUIntBE(end + 1, 3) <= bytes.length) {
    end += 15 + bytes.readUIntBE(end + 1, 3);
  }
  return bytes.length < 13 ? Buffer.from('FLV\x01\x05\0\0\0\x09\0\0\0\0', 'latin1') : bytes.subarray(0, end);
}
