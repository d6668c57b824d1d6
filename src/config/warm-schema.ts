import { fileOrUrl, flag, size, time } from './kind.js';
import { type Draft, item, list, setting, type Values, type Wrong } from './setting.js';

/** Least bytes a second to which fetching ahead of players may be bound. */
export const LEAST_RATE = '64KiB';

/** Lists of what is fetched before anybody asks for it. */
export const warmSchema = list(
  item({
    list: setting(
      fileOrUrl('a file, or the http(s) URL of one'),
      'List of what is fetched before anybody asks: a URL or path a line, as players ask for it; # begins a comment.',
    ),
    every: setting(time('1m', '8760h'), 'How often the list is read and fetched, counted from midnight UTC.').prefault(
      '24h',
    ),
    at: setting(time('0', '8760h'), 'How long after that moment: 4h is at four o’clock UTC every day.').prefault('0'),
    atStart: setting(flag(), 'Whether it is fetched when the edge starts, too.').prefault(false),
    first: setting(
      time('1s', '24h'),
      'How much of each film is fetched, from its beginning; left out: all of it.',
    ).optional(),
    hls: setting(flag(), 'Whether films are fetched as players of HLS do: playlists and all that they name.').prefault(
      false,
    ),
    rate: setting(size(LEAST_RATE, '100GiB'), 'Bytes a second that are fetched at most; left out: any.').optional(),
  }),
  { max: 100 },
);

/** Rules between the settings of a list. */
export function checkWarm(lists: Draft<Values<typeof warmSchema>>, wrong: Wrong): void {
  (lists ?? []).forEach((each, i) => {
    if (Number(each?.at) >= Number(each?.every)) wrong(['warm', i, 'at'], 'expected less than every');
  });
}
