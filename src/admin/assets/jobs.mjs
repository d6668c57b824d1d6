/** Jobs of transcoding: what waits, what is being made and how far it has come, what failed and why. */
import { answerLink, byId, count, table, tile, watch } from './page.mjs';

const time = milliseconds => new Date(milliseconds).toLocaleString();
const percent = progress => (progress === undefined ? '–' : `${Math.round(progress.share * 100)} % (${progress.step})`);

function show({ version, role, counts, jobs }) {
  byId('about').textContent = `${version} · ${role}`;
  byId('tiles').replaceChildren(
    ...Object.entries(counts).map(([state, number]) => tile(state, count.format(number), number)),
  );
  const of = state => jobs.filter(job => job.state === state);
  byId('tables').replaceChildren(
    table(
      'Running',
      ['Film', 'Done', 'Attempt'],
      of('running').map(({ id, progress, attempts }) => [id, percent(progress), attempts]),
    ),
    table(
      'Waiting',
      ['Film', 'Since', 'Last failure'],
      of('waiting').map(({ id, queued, reason }) => [id, time(queued), reason ?? '–']),
    ),
    table(
      'Failed',
      ['Film', 'Attempts', 'Why'],
      of('failed').map(({ id, attempts, reason }) => [id, attempts, reason ?? '–']),
    ),
    table(
      'Done',
      ['Film', 'Qualities', 'Seconds', 'Remarks', 'HLS'],
      of('done').map(({ id, film }) => [
        id,
        film?.qualities.join(', ') ?? '–',
        film?.duration ?? '–',
        film?.remarks.join('; ') || '–',
        film?.hls ?? '–',
      ]),
    ),
  );
}

byId('main').append(answerLink('As JSON', '/jobs'));
watch('/jobs', show);
