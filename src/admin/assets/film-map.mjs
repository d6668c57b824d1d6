/**
 * A film as a bar of the blocks that it has, each in the colour of the tier that it would come from; whoever clicks it
 * seeks, and is told what that cost.
 */
import { askJson, bytes, element } from './page.mjs';

const BLOCK = 256 * 1024;
const INTERVAL = 2000;
const TIERS = ['memory', 'disk', 'origin'];

/** How many blocks of a film are in which tier, as runs in their order. */
async function look(path) {
  const { objects } = await askJson('/why', { body: { url: path } });
  return objects.find(({ blocks }) => blocks !== undefined);
}

/** Blocks that the origin would have had to bring before and would not now. */
function brought(before, after) {
  const of = runs => runs.flatMap(([tier, n]) => Array(n).fill(tier));
  const [old, now] = [of(before), of(after)];
  return now.filter((tier, i) => tier !== 'origin' && old[i] === 'origin').length;
}

/** The bar of one film. */
export class FilmMap {
  #path;
  #bar = element('div', undefined, 'film-map');
  #text = element('p', undefined, 'dim');
  #mark = element('i', undefined, 'mark');
  #runs;

  /** @param seek is told which share of the film, from 0 to 1, somebody wants to see */
  constructor(path, seek) {
    this.#path = path;
    this.#bar.setAttribute('role', 'slider');
    this.#bar.setAttribute('aria-label', 'The whole film: click to seek');
    this.#bar.addEventListener('click', event => {
      const { left, width } = this.#bar.getBoundingClientRect();
      seek((event.clientX - left) / width);
    });
    this.node = element('div');
    const legend = element('p', undefined, 'legend');
    for (const tier of TIERS) legend.append(element('span', tier, tier));
    this.node.append(this.#bar, legend, this.#text);
    this.node.hidden = true;
    this.refresh();
    setInterval(() => void this.refresh(), INTERVAL);
  }

  /** Where the film is being watched, as a share of it. */
  set position(share) {
    this.#mark.style.left = `${Math.min(1, Math.max(0, share)) * 100}%`;
  }

  async refresh() {
    const found = await look(this.#path).catch(() => undefined);
    this.node.hidden = found === undefined;
    if (found === undefined) return;
    const { size, blocks } = found;
    this.#runs = blocks.runs;
    const parts = this.#runs.map(([tier, n]) => {
      const part = element('span', undefined, tier);
      part.style.flexGrow = n;
      part.title = `${n} blocks: ${tier}`;
      return part;
    });
    this.#bar.replaceChildren(...parts, this.#mark);
    const held = TIERS.map(tier => `${tier} ${bytes(Math.min(size, blocks[tier] * BLOCK))}`);
    this.#text.textContent = `${bytes(size)}: ${held.join(' · ')}`;
  }

  /** Begins to measure a seek; what is returned is called when its first picture is there, and says what it cost. */
  measure() {
    const begun = performance.now();
    const before = look(this.#path).catch(() => undefined);
    return async () => {
      const taken = performance.now() - begun;
      const [old, now] = [await before, await look(this.#path).catch(() => undefined)];
      const cost =
        now === undefined
          ? ''
          : `, ${bytes(brought(old?.blocks.runs ?? [['origin', 1e6]], now.blocks.runs) * BLOCK)} from the origin`;
      return `first picture after ${Math.round(taken)} ms${cost}`;
    };
  }
}
