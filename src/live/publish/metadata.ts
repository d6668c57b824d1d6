import { Amf0Reader } from '../../media/flv/amf0.js';

/** Name of the script that describes a stream, and the wrapper in which publishers send it (FLV 10.1, annex E.5). */
const METADATA = 'onMetaData';
const SET = '@setDataFrame';
/** Its reverse: metadata are taken back, which nobody does. */
const CLEAR = '@clearDataFrame';

/** A script as viewers get it. */
export interface Script {
  readonly isMetadata: boolean;
  /** AMF0, without the publisher's wrapper. */
  readonly body: Uint8Array;
}

/** Reads a script of a publisher. @returns undefined when viewers need nothing of it, or it is no AMF0 */
export function readScript(payload: Uint8Array): Script | undefined {
  try {
    const reader = new Amf0Reader(payload);
    let name = reader.string(0);
    if (name === undefined || name === CLEAR) return undefined;
    let at = 0;
    if (name === SET) {
      at = reader.skip(0);
      name = reader.string(at);
    }
    // Looked at to its end, so that players get nothing that they stumble over.
    for (let next = at; next < payload.length; ) next = reader.skip(next);
    return { isMetadata: name === METADATA, body: payload.subarray(at) };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Which tracks metadata announce; undefined when they announce none. @param body of a script that is metadata */
export function announcedTracks(body: Uint8Array): { video: boolean; audio: boolean } | undefined {
  const reader = new Amf0Reader(body);
  const at = reader.skip(0);
  if (at >= body.length) return undefined;
  const names = new Set(reader.properties(at).map(({ name }) => name));
  const tracks = { video: names.has('videocodecid'), audio: names.has('audiocodecid') };
  return tracks.video || tracks.audio ? tracks : undefined;
}
