import type { RtmpPublisher } from '../../test/support/rtmp-publisher.js';

/** Of the stream: bits a second, and tags. */
export const BITS = 600_000;
const TAGS = 25;
const MARK = Buffer.from('moovedge-stamp:');
/** AVCDecoderConfigurationRecord of 640 × 360 pixels. */
const AVC = Buffer.from('0142c01effe100146742c01ed901405ff2e022000003000200000300651e2c5c9001000468cb83cb', 'hex');

/**
 * Even tags of a stream of video without sound, each stamped with the time of its coming and its number, as
 * bench/support/live-viewers.cc reads them; a key frame every two seconds.
 */
export function everyTag(send: (timestamp: number, keyFrame: boolean, body: Buffer) => void): NodeJS.Timeout {
  const begun = performance.now();
  let count = 0;
  const size = BITS / 8 / TAGS - 15;
  const body = Buffer.alloc(size, 0x27);
  // AVC frames, presented when they are decoded.
  body.fill(0, 1, 5);
  body[1] = 1;
  // One NAL unit with a length before it.
  body.writeUInt32BE(size - 9, 5);
  MARK.copy(body, 16);
  return setInterval(() => {
    for (; (count * 1000) / TAGS <= performance.now() - begun; count++) {
      const keyFrame = count % (2 * TAGS) === 0;
      body[0] = keyFrame ? 0x17 : 0x27;
      body[9] = keyFrame ? 0x65 : 0x41;
      body.writeBigUInt64LE(process.hrtime.bigint(), 16 + MARK.length);
      body.writeBigUInt64LE(BigInt(count), 24 + MARK.length);
      send(Math.round((count * 1000) / TAGS), keyFrame, body);
    }
  }, 5);
}

/** Sends such a stream by RTMP. */
export function publishTo(publisher: RtmpPublisher): NodeJS.Timeout {
  publisher.media(9, 0, Buffer.concat([Buffer.from([0x17, 0, 0, 0, 0]), AVC]));
  return everyTag((timestamp, _, body) => publisher.media(9, timestamp, body));
}
