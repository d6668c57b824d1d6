/* Runs in the page. */

/** Milliseconds that anything may take on a busy machine. */
const PATIENCE = 60_000;

/** Plays an address and tells of its first second; see `Played` in seek.test.ts. */
async function playAndTell(url, how) {
  const video = document.querySelector('video');
  video.crossOrigin = 'anonymous';
  let error;
  const failed = new Promise(resolve => {
    video.onerror = () => {
      error = video.error?.message ?? 'error';
      resolve();
    };
  });
  video.preload = 'auto';
  if (how === 'video') {
    video.src = url;
  } else {
    const player = window.mpegts.createPlayer({ type: 'flv', url }, { enableWorker: false });
    player.on('error', (kind, detail) => {
      error = `${kind} ${detail}`;
    });
    player.attachMediaElement(video);
    player.load();
  }
  // Only with the first picture does `currentTime` stand where the film begins.
  if (video.readyState < 2) {
    await Promise.race([failed, new Promise(resolve => video.addEventListener('loadeddata', resolve, { once: true }))]);
  }
  const begin = video.currentTime;
  const context = new OffscreenCanvas(320, 180).getContext('2d');
  const asked = performance.now();
  let firstFrameAfter = Number.POSITIVE_INFINITY;
  let picture = [];
  const first = new Promise(resolve => {
    video.requestVideoFrameCallback(now => {
      firstFrameAfter = now - asked;
      context.drawImage(video, 0, 0, 320, 180);
      picture = [...context.getImageData(0, 0, 320, 180).data];
      resolve();
    });
  });
  video.play().catch(reason => {
    error ??= String(reason);
  });
  await Promise.race([first, failed]);
  // A busy machine plays sound while its pictures are late: both have to have come.
  const frameCount = () => video.getVideoPlaybackQuality().totalVideoFrames;
  const isEnough = () => video.currentTime >= begin + 1 && frameCount() > 10;
  while (!error && !isEnough() && performance.now() - asked < PATIENCE) {
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  const frames = frameCount();
  const soundBytes = video.webkitAudioDecodedByteCount;
  const { currentTime: later, duration } = video;
  return { error, firstFrameAfter, begin, later, duration, frames, soundBytes, picture };
}

/** Seeks in a file as its player does, by byte ranges, and tells of the frame that is there. */
async function seekAndTell(url, second) {
  const video = document.querySelector('video');
  video.crossOrigin = 'anonymous';
  let error;
  const failed = new Promise(resolve => {
    video.onerror = () => {
      error = video.error?.message ?? 'error';
      resolve();
    };
  });
  const once = name =>
    Promise.race([failed, new Promise(resolve => video.addEventListener(name, resolve, { once: true }))]);
  video.preload = 'auto';
  video.src = url;
  if (video.readyState < 2) await once('loadeddata');
  // `seeked` may come before its frame can be drawn.
  const shown = new Promise(resolve => {
    const look = (_, { mediaTime }) => {
      if (Math.abs(mediaTime - second) < 0.5) resolve();
      else video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  });
  video.currentTime = second;
  await once('seeked');
  await Promise.race([failed, shown, new Promise(resolve => setTimeout(resolve, PATIENCE))]);
  const context = new OffscreenCanvas(320, 180).getContext('2d');
  context.drawImage(video, 0, 0, 320, 180);
  return { error, picture: [...context.getImageData(0, 0, 320, 180).data] };
}

globalThis.playAndTell = playAndTell;
globalThis.seekAndTell = seekAndTell;
