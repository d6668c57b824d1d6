import { clip, h264 } from '../clips.js';

/** Seconds of a flash, and of its beep, which both begin with each whole second. */
const LENGTH = 0.08;

/**
 * A film whose picture is white and that beeps at the beginning of each second. Renditions of different heights have
 * the same sound and key frames.
 */
export function flashAndBeep(seconds: number, height: number, ...more: readonly string[]): Promise<string> {
  const width = (height * 16) / 9;
  const isOn = `lt(mod(t+0.001\\,1)\\,${LENGTH})`;
  const light = `color=black:size=${width}x${height}:rate=25:duration=${seconds},drawbox=color=white:t=fill:enable='${isOn}'`;
  const sound = `aevalsrc='0.8*sin(2*PI*1000*t)*${isOn}':sample_rate=48000:duration=${seconds}`;
  return clip(`flash-${height}.mp4`, [
    ...['-f', 'lavfi', '-i', light, '-f', 'lavfi', '-i', sound, ...h264(), '-c:a', 'aac', '-b:a', '64k'],
    ...['-movflags', '+faststart', ...more],
  ]);
}
