/** Sends a film by tus, tells how far its qualities are, and plays them. */

const byId = id => document.getElementById(id);
const query = new URLSearchParams(location.search);
/** Where films are played, when somebody has said so. */
const EDGE = query.get('edge');
const ENDPOINT = query.get('endpoint') ?? '/files/';

const say = text => {
  byId('state').textContent = text;
};

function headers() {
  const token = byId('token').value;
  return token === '' ? {} : { Authorization: `Bearer ${token}` };
}

/** Reads the events of a job until its end. */
async function follow(url) {
  for (;;) {
    const response = await fetch(`${url}/progress`, { headers: headers() });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read().catch(() => ({ done: true }));
      if (done) break;
      text += value;
      const lines = text.split('\n');
      text = lines.pop();
      for (const line of lines.filter(each => each.startsWith('data: '))) {
        const status = JSON.parse(line.slice(6));
        if (show(status)) return;
      }
    }
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
}

/** Shows how a job stands; true at its end. */
function show({ state, progress, reason, film }) {
  if (state === 'failed') say(`No film could be made: ${reason}`);
  else if (state === 'done') play(film);
  else if (state === 'waiting') say('Uploaded. Waiting for a worker …');
  else {
    byId('progress').value = progress?.share ?? 0;
    say(`Making the film: ${Math.round((progress?.share ?? 0) * 100)} % (${progress?.step ?? 'begun'})`);
  }
  return state === 'failed' || state === 'done';
}

async function play({ qualities, duration, hls, poster, remarks }) {
  byId('progress').value = 1;
  const notes = remarks.length > 0 ? ` Note: ${remarks.join('; ')}.` : '';
  say(`Ready: ${duration} s in ${qualities.map(quality => `${quality}p`).join(', ')}.${notes}`);
  if (EDGE === null) return;
  const video = byId('video');
  video.hidden = false;
  video.poster = `${EDGE}/${poster}`;
  const url = `${EDGE}/${hls}`;
  const { default: Hls } = await import('/hls.mjs').catch(() => ({ default: undefined }));
  if (Hls === undefined || !Hls.isSupported()) {
    video.src = url;
    return;
  }
  const player = new Hls();
  player.loadSource(url);
  player.attachMedia(video);
  player.on(Hls.Events.MANIFEST_PARSED, () => {
    const choices = player.levels.map(({ height }, index) => new Option(`${height} lines`, String(index)));
    byId('quality').replaceChildren(new Option('automatic', '-1'), ...choices);
    byId('qualityline').hidden = false;
  });
  byId('quality').addEventListener('change', ({ target }) => {
    player.currentLevel = Number(target.value);
  });
  player.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => {
    video.dataset.height = String(player.levels[level].height);
  });
}

byId('file').addEventListener('change', async ({ target }) => {
  const [file] = target.files;
  if (file === undefined) return;
  const upload = new tus.Upload(file, {
    endpoint: ENDPOINT,
    headers: headers(),
    metadata: { filename: file.name, filetype: file.type },
    retryDelays: [0, 500, 1000, 3000, 5000, 10000],
    removeFingerprintOnSuccess: true,
    onProgress: (sent, all) => {
      byId('progress').value = sent / all;
      say(`Sending: ${Math.round((sent / all) * 100)} %`);
    },
    onError: error => {
      const status = error.originalResponse?.getStatus();
      byId('tokenline').hidden = status !== 401;
      say(
        status === 401 ? 'A token is needed: enter it, and choose the file again.' : `Sending failed: ${error.message}`,
      );
    },
    onSuccess: () => {
      byId('pause').hidden = true;
      byId('progress').value = 0;
      follow(upload.url);
    },
  });
  const before = await upload.findPreviousUploads();
  if (before.length > 0) upload.resumeFromPreviousUpload(before[0]);
  const pause = byId('pause');
  pause.hidden = false;
  let isPaused = false;
  pause.onclick = () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? 'Go on' : 'Pause';
    if (isPaused) upload.abort();
    else upload.start();
  };
  upload.start();
});
