import { type ChildProcess, spawn } from 'node:child_process';

/** Bits of the wall clock, in pieces of so many milliseconds, that pictures show as white boxes of so many pixels. */
const [BITS, TICK, BOX] = [10, 50, 24];

/** Publishes, by ffmpeg, sound and pictures that show when they were made; a key frame a second. */
export function publishClock(target: string, size = '320x180'): ChildProcess {
  const boxes = Array.from({ length: BITS }, (_, bit) => {
    const isSet = `mod(floor(time(0)*${1000 / TICK}/${2 ** bit}),2)`;
    return `drawbox=x=${bit * BOX}:y=0:w=${BOX}:h=${BOX}:color=white:t=fill:enable='${isSet}'`;
  });
  const picture = ['-f', 'lavfi', '-i', `color=black:size=${size}:rate=25,${boxes.join(',')}`];
  const sound = ['-f', 'lavfi', '-i', 'sine=440'];
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-g', '25'];
  const all = ['-re', ...picture, '-re', ...sound, ...codecs, '-c:a', 'aac', '-f', 'flv', target];
  return spawn('ffmpeg', ['-nostdin', '-v', 'fatal', ...all], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** In a page with such a video: milliseconds since the picture that it shows was made, within what the bits tell. */
export const BEHIND = `(() => {
  const video = document.getElementById('video');
  const canvas = new OffscreenCanvas(${BITS * BOX}, ${BOX});
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(video, 0, 0);
  let shown = 0;
  for (let bit = 0; bit < ${BITS}; bit++) {
    const [red] = context.getImageData(bit * ${BOX} + ${BOX / 2}, ${BOX / 2}, 1, 1).data;
    if (red > 128) shown += 2 ** bit;
  }
  const now = Date.now() / ${TICK};
  return (((now - shown) % ${2 ** BITS}) + ${2 ** BITS}) % ${2 ** BITS} * ${TICK};
})()`;
