/* Runs in the page: plays a film in a player of others, and tells what is seen and heard when. */

const video = document.querySelector('video');
const failures = [];
let fail;
/** Rejects when the player or the element says that it can't go on. */
const failed = new Promise((_, reject) => {
  fail = reason => {
    failures.push(reason);
    reject(new Error(reason));
  };
});
failed.catch(() => {});
video.addEventListener('error', () => fail(`the element: ${video.error?.message}`));

const once = (target, name) => new Promise(resolve => target.addEventListener(name, resolve, { once: true }));

/** Resolves when `isTrue` is, looked at with every picture and every event of time. */
function when(isTrue) {
  const come = new Promise(resolve => {
    const events = ['timeupdate', 'seeked', 'playing', 'loadedmetadata', 'canplay', 'resize', 'ended'];
    const look = () => {
      if (!isTrue()) return;
      for (const name of events) video.removeEventListener(name, look);
      resolve();
    };
    for (const name of events) video.addEventListener(name, look);
    look();
  });
  return Promise.race([come, failed]);
}

/** Has the player show the film's first subtitles. */
let showText;

/** Each loads an address and gives what switches to the rendition of a height. */
const players = {
  native(url) {
    video.crossOrigin = 'anonymous';
    video.src = url;
    return () => fail('a file has one rendition');
  },

  'hls.js'(url) {
    const { Hls } = window;
    const hls = new Hls({ enableWorker: false });
    const select = height => {
      hls.currentLevel = hls.levels.findIndex(level => level.height === height);
    };
    hls.on(Hls.Events.MANIFEST_PARSED, () => select(Math.min(...hls.levels.map(level => level.height))));
    hls.on(Hls.Events.ERROR, (_, { fatal, type, details, error }) => {
      if (fatal) fail(`${type} ${details} ${error?.message}`);
    });
    showText = () => {
      hls.subtitleDisplay = true;
      hls.subtitleTrack = 0;
    };
    hls.loadSource(url);
    hls.attachMedia(video);
    return select;
  },

  async shaka(url) {
    const { shaka } = window;
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    const tell = error => fail(`shaka ${error.code} ${error.data}`);
    player.addEventListener('error', ({ detail }) => tell(detail));
    player.configure({ abr: { enabled: false } });
    await player.attach(video);
    showText = () => player.selectTextTrack(player.getTextTracks()[0]);
    await player.load(url).catch(tell);
    const select = height => {
      const track = player.getVariantTracks().find(one => one.height === height);
      if (track === undefined) return fail(`no rendition of height ${height}`);
      player.selectVariantTrack(track, true);
    };
    const heights = player.getVariantTracks().map(({ height }) => height);
    if (heights.length > 1) select(Math.min(...heights));
    return select;
  },

  'dash.js'(url) {
    const { dashjs } = window;
    const player = dashjs.MediaPlayer().create();
    player.updateSettings({
      debug: { logLevel: 0 },
      streaming: {
        abr: { autoSwitchBitrate: { video: false }, initialBitrate: { video: 1 } },
        buffer: { fastSwitchEnabled: true },
      },
    });
    player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => fail(`dash.js ${error?.code} ${error?.message}`));
    showText = () => player.setTextTrack(0);
    player.initialize(video, url, true);
    return height => {
      const all = player.getRepresentationsByType('video');
      const index = all.findIndex(one => one.height === height);
      if (index < 0) return fail(`no rendition of height ${height}`);
      player.setRepresentationForTypeByIndex('video', index, true);
    };
  },
};

let context;
let beeps = [];
/** `currentTime` of the element less the time of the context, looked at again and again. */
let offsets = [];
let flashes = [];
let select;

async function listen() {
  context = new AudioContext({ sampleRate: 48000 });
  await context.audioWorklet.addModule('/page/meter.mjs');
  const meter = new AudioWorkletNode(context, 'beep-meter');
  meter.port.onmessage = ({ data }) => beeps.push(data);
  const silence = new GainNode(context, { gain: 0 });
  context.createMediaElementSource(video).connect(meter).connect(silence).connect(context.destination);
  await context.resume();
  setInterval(() => {
    if (!video.paused && !video.seeking && video.readyState > 2) offsets.push(video.currentTime - context.currentTime);
  }, 7);
}

const canvas = new OffscreenCanvas(16, 9).getContext('2d', { willReadFrequently: true });
let size = [0, 0];
let wasLight = true;
/** Notes pictures that turn light. */
function watch() {
  video.requestVideoFrameCallback((_, { mediaTime, width, height }) => {
    size = [width, height];
    canvas.drawImage(video, 0, 0, 16, 9);
    const [red, green, blue] = canvas.getImageData(8, 4, 1, 1).data;
    const isLight = red + green + blue > 384;
    if (isLight && !wasLight) flashes.push(mediaTime);
    wasLight = isLight;
    watch();
  });
}

const median = values => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Plays an address until its first picture. */
async function load(how, url) {
  await listen();
  watch();
  select = await players[how](url);
  await when(() => video.readyState >= 1);
  await Promise.race([video.play(), failed]);
  await when(() => size[0] > 0 && video.currentTime > 0);
  return { duration: video.duration, width: size[0], height: size[1] };
}

/** Plays on from here, or from a second, until `count` flashes and beeps have come. Seconds of the film. */
async function measure(count, second) {
  if (second !== undefined) {
    video.currentTime = second;
    await Promise.race([once(video, 'seeked'), failed]);
    if (video.paused) await video.play();
  }
  [beeps, flashes, offsets] = [[], [], []];
  await when(() => beeps.length >= count && flashes.length >= count);
  const offset = median(offsets);
  return { flashes, beeps: beeps.map(at => at + offset), height: size[1], currentTime: video.currentTime };
}

/** Switches to the rendition of a height, and waits until its pictures are shown. */
async function switchTo(height) {
  await select(height);
  await when(() => size[1] === height);
  return { height: size[1], currentTime: video.currentTime };
}

/** Shows subtitles, until there are `count` cues. Seconds of the film. */
async function readText(count) {
  showText();
  const found = () =>
    [...video.textTracks].flatMap(track =>
      [...(track.cues ?? [])].map(({ startTime, endTime, text }) => ({ startTime, endTime, text })),
    );
  await when(() => found().length >= count);
  return found();
}

/** Plays to the end. */
async function playToEnd() {
  await when(() => video.ended);
  return { currentTime: video.currentTime, duration: video.duration };
}

/** Where it stands, for whoever waits in vain. */
function standing() {
  const { currentTime, duration, readyState, paused, seeking, ended, buffered } = video;
  const ranges = Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
  return { currentTime, duration, readyState, paused, seeking, ended, buffered: ranges };
}

Object.assign(globalThis, { load, measure, switchTo, readText, playToEnd, standing, failures });
