import { dataSizeOf, TAG_HEADER, TAG_TRAILER, timestampOf } from '../../media/flv/tag.js';
import { MESSAGE, type RtmpMessage } from './message.js';
import { RtmpError } from './rtmp-error.js';

/** A message out of an aggregate. */
export interface AggregatePart {
  readonly type: 8 | 9 | 18;
  readonly timestamp: number;
  readonly payload: Buffer;
}

/**
 * Takes an aggregate message apart, which is FLV tags one after the other (RTMP 1.0, section 7.1.6): their times count
 * from the first of them, which has the time of the aggregate.
 * @throws RtmpError when a tag goes on beyond the message
 */
export function eachOfAggregate({ payload, timestamp }: RtmpMessage, take: (part: AggregatePart) => void): void {
  let first: number | undefined;
  for (let at = 0; at < payload.length; ) {
    const size = at + TAG_HEADER <= payload.length ? dataSizeOf(payload, at) : 0;
    const end = at + TAG_HEADER + size;
    if (end > payload.length) throw new RtmpError('protocol', 'expected whole tags in an aggregate message');
    const type = payload[at]!;
    const time = timestampOf(payload, at);
    first ??= time;
    if (type === MESSAGE.audio || type === MESSAGE.video || type === MESSAGE.dataAmf0) {
      const moved = (timestamp + time - first) % 2 ** 32;
      take({ type, timestamp: moved < 0 ? moved + 2 ** 32 : moved, payload: payload.subarray(at + TAG_HEADER, end) });
    }
    // Some writers leave out the last trailer.
    at = end + TAG_TRAILER;
  }
}
