import type { Server } from './server.js';

/** Paths of a packaged film at an edge. */
export interface PackagedFilm {
  readonly master: string;
  readonly video: TrackPaths;
  readonly audio: TrackPaths;
}

/** Paths of one of its tracks. */
export interface TrackPaths {
  readonly playlist: string;
  readonly init: string;
  readonly segments: readonly string[];
}

/** The body of an answer of status 200. @throws Error when it has another */
export async function whole(server: Server, path: string): Promise<Buffer> {
  const { status, body } = await server.get(path);
  if (status !== 200) throw new Error(`${server.name} answers ${status} to ${path}: ${body.subarray(0, 300)}`);
  return body;
}

/** Reads the playlists of a film with one video and one sound track. */
export async function packagedFilm(server: Server, film: string): Promise<PackagedFilm> {
  const master = `${film}/hls.m3u8`;
  const text = (await whole(server, master)).toString();
  const video = /^[^#\n].*$/m.exec(text)?.[0];
  const audio = /^#EXT-X-MEDIA:.*URI="([^"]+)"/m.exec(text)?.[1];
  if (video === undefined || audio === undefined) throw new Error(`expected video and sound in ${master}:\n${text}`);
  return { master, video: await track(server, `${film}/${video}`), audio: await track(server, `${film}/${audio}`) };
}

async function track(server: Server, playlist: string): Promise<TrackPaths> {
  const text = (await whole(server, playlist)).toString();
  const folder = playlist.slice(0, playlist.lastIndexOf('/') + 1);
  const init = /URI="([^"]+)"/.exec(text)?.[1];
  const segments = text.split('\n').filter(line => line !== '' && !line.startsWith('#'));
  if (init === undefined || segments.length === 0) throw new Error(`expected segments in ${playlist}:\n${text}`);
  return { playlist, init: folder + init, segments: segments.map(segment => folder + segment) };
}
