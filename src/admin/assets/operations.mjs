/** Forms by which films are purged from the edge and fetched into it. */
import { ask, askJson, bytes, element, tell } from './page.mjs';

function input(name, placeholder, attributes = {}) {
  const node = Object.assign(document.createElement('input'), { name, placeholder, ...attributes });
  node.setAttribute('aria-label', placeholder);
  return node;
}

function check(name, text) {
  const label = element('label');
  label.append(Object.assign(document.createElement('input'), { type: 'checkbox', name }), ` ${text}`);
  return label;
}

function form(title, fields, act) {
  const node = element('form', undefined, 'operation');
  const result = element('output', undefined, 'dim');
  const button = element('button', title);
  node.append(...fields, button, result);
  node.addEventListener('submit', async event => {
    event.preventDefault();
    button.disabled = true;
    result.textContent = '…';
    try {
      await act(new FormData(node), text => {
        result.textContent = text;
      });
    } catch (error) {
      result.textContent = '';
      tell(error);
    }
    button.disabled = false;
  });
  return node;
}

/** A path that ends in /, or in *, stands for everything that begins with it. */
async function purge(values, say) {
  const path = values.get('path');
  const scope = /[/*]$/.test(path) ? { prefix: path.replace(/\*$/, '') } : { urls: [path] };
  const { objects, more } = await askJson('/purge', { body: { ...scope, soft: values.has('soft') } });
  say(
    `${more ? 'at least ' : ''}${objects} ${objects === 1 ? 'object' : 'objects'} ${values.has('soft') ? 'marked stale' : 'purged'}`,
  );
}

/** Lines of JSON as they come. */
async function* linesOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

async function prefetch(values, say) {
  const seconds = values.get('seconds');
  const body = {
    urls: [values.get('path')],
    hls: values.has('hls'),
    ...(seconds === '' ? {} : { seconds: Number(seconds) }),
  };
  for await (const line of linesOf(await ask('/prefetch', { body }))) {
    if (line.done) continue;
    const { bytes: held, total, end } = line;
    say(`${bytes(held)}${total === undefined ? '' : ` of ${bytes(total)}`}${end === undefined ? '' : ` · ${end}`}`);
  }
}

/** Shows both forms in `place`. */
export function showOperations(place) {
  const path = () => input('path', '/film.mp4, or /folder/', { required: true });
  place.append(
    form('Purge', [path(), check('soft', 'only mark stale')], purge),
    form('Prefetch', [path(), input('seconds', 'seconds', { inputMode: 'decimal' }), check('hls', 'as HLS')], prefetch),
  );
}
