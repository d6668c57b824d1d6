import { bucketSettings, checkKeys } from './bucket-settings.js';
import { checkEtcd, etcdSettings } from './etcd-settings.js';
import { choice, host, integer, originUrl, path, size, text, time } from './kind.js';
import { group, item, list, map, setting, withRules } from './setting.js';

/** Where uploads and the films that are made of them lie. Needed by `upload`, `transcode` and `jobs` only. */
export const storageSchema = withRules(
  item({
    url: setting(originUrl(), 'Where uploads and films lie: a directory or s3://bucket/prefix.'),
    s3: item(bucketSettings('Of uploads and films: ')).optional(),
    etcd: item(etcdSettings('Of uploads and films: ')).optional(),
  }),
  (storage, wrong) => {
    checkKeys(storage?.s3, wrong);
    checkEtcd(storage?.etcd, (path, expected) => wrong(['etcd', ...path], expected));
  },
);

/** The queue of films that are to be made. */
export const jobsSchema = group({
  redis: setting(
    text('a URL such as redis://127.0.0.1:6379', /^rediss?:\/\/[^\s]{1,1000}$/),
    'Redis that holds the queue; it can be filled again from the storage.',
    { secret: true },
  ).prefault('redis://127.0.0.1:6379'),
  prefix: setting(
    text('letters, digits, dash and underscore', /^[\w-]{1,64}$/),
    'Beginning of the keys in Redis, for several queues in one.',
  ).prefault('moovedge'),
  attempts: setting(integer(1, 20), 'How often a film is tried before it counts as failed.').prefault(3),
  lock: setting(
    time('3s', '10m'),
    'How long a worker may be out of touch before its job is given to another, and it stops working on it.',
  ).prefault('15s'),
  keepFailed: setting(
    time('1m', '8760h'),
    'How long what no film could be made of stays, to be tried again; then its job and its upload are removed.',
  ).prefault('168h'),
});

/** The server that takes uploads (tus 1.0). */
export const uploadSchema = group({
  host: setting(host(), 'Address that uploads come to.').prefault('0.0.0.0'),
  port: setting(integer(1, 65535), 'Port that uploads come to.').prefault(8090),
  path: setting(text('a path such as /files/', /^\/(?:[\w~-][\w.~-]*\/){1,8}$/), 'Where uploads are made.').prefault(
    '/files/',
  ),
  token: setting(
    text('a secret of 16 to 1024 printable characters without spaces', /^[\x21-\x7e]{16,1024}$/),
    'Secret that clients must bear as "Authorization: Bearer …"; without it and without tokens only this machine may upload.',
    { secret: true },
  ).optional(),
  tokens: map(
    setting(
      text('a secret of 16 to 1024 printable characters without spaces', /^[\x21-\x7e]{16,1024}$/),
      'Secret of one of several users, by their name.',
      { secret: true },
    ),
  ),
  maxSize: setting(size('1MiB', '1TiB'), 'Largest file that is taken.').prefault('50GiB'),
  quota: setting(size('1MiB', '1024TiB'), 'Most bytes a day of each token; left out: any.').optional(),
  expire: setting(time('1m', '8760h'), 'How long an upload may take before what has come of it is removed.').prefault(
    '24h',
  ),
  origins: list(
    setting(
      text('* or an origin such as https://www.example.com', /^(\*|https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?)$/),
      'Web origins whose pages may upload; * is any.',
    ),
    { max: 1000 },
  ),
});

/** Workers that make films of uploads. */
export const transcodeSchema = group({
  workers: setting(integer(1, 64), 'Films that one process makes at once.').prefault(1),
  qualities: list(
    setting(integer(96, 4320), 'Short side of the picture, in pixels; larger than the source: left out.'),
    {
      max: 8,
    },
  ).prefault([1080, 720, 480, 360]),
  keyframes: setting(time('500ms', '10s'), 'Time between two key frames, the same in all qualities.').prefault('2s'),
  preset: setting(
    choice('ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium', 'slow'),
    'How much time x264 spends for a smaller file.',
  ).prefault('veryfast'),
  timeout: setting(time('5s', '1h'), 'How long ffmpeg may stand still before it is ended.').prefault('60s'),
  memory: setting(size('512MiB', '1TiB'), 'Most memory of one ffmpeg.').prefault('8GiB'),
  scratch: setting(
    path('a folder'),
    'Folder for the source and the outputs while a film is being made; left out: one in the system’s temporary folder.',
  ).optional(),
});
