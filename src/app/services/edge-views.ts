import { type Log, silentLog } from '../../base/log.js';
import type { Config } from '../../config/schema.js';
import { FrameViews } from '../../view/frame/frame-views.js';
import { PackagingViews } from '../../view/packaging/packaging-views.js';
import { SeekViews } from '../../view/seek/seek-views.js';
import type { ViewKind } from '../../view/view.js';
import { Views } from '../../view/views.js';

/** The part of `media.indexMemory` that playlists, subtitles and the like may take beside it. */
const PLAYLIST_SHARE = 1 / 4;

/**
 * What players may ask for beside objects as they are: a row for each kind of view. Workers answer by it, and purges
 * find by it which object a URL is about.
 * @param local kinds that are the worker's own, and come first
 */
export function viewsOf({ media }: Config, log: Log = silentLog, local: readonly ViewKind[] = []): Views {
  const { enabled, ...packaging } = media.packaging;
  const options = { ...packaging, memory: media.indexMemory * PLAYLIST_SHARE };
  const cut = { target: packaging.segment / 1000, shortest: packaging.lastSegment };
  return new Views([
    ...local,
    ...(enabled ? [new PackagingViews(options, log)] : []),
    new FrameViews(cut),
    new SeekViews(media.mp4.faststart),
  ]);
}
