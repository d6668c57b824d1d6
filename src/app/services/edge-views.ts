import type { Config } from '../../config/schema.js';
import { SeekViews } from '../../view/seek/seek-views.js';
import { Views } from '../../view/views.js';

/**
 * What players may ask for beside objects as they are: a row for each kind of view. Workers answer by it, and purges
 * find by it which object a URL is about.
 */
export function viewsOf({ media }: Config): Views {
  return new Views([new SeekViews(media.mp4.faststart)]);
}
