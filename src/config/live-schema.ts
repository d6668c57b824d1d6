import { isStreamName } from '../base/stream-name.js';
import { addedFields, checkAddedFields } from './added-fields.js';
import { choice, host, integer, path, size, text, time } from './kind.js';
import { type Draft, group, item, list, map, setting, type Values, type Wrong } from './setting.js';

/** Live streams: published by RTMP, watched by HTTP. Off unless there is `rtmp` or `pull`. */
export const liveSchema = group({
  rtmp: item({
    host: setting(host(), 'Address that publishers connect to.').prefault('0.0.0.0'),
    port: setting(integer(1, 65535), 'Port that publishers connect to.').prefault(1935),
    tls: group({
      certificate: setting(
        path('a PEM file'),
        'PEM file of the certificate that publishers see, followed by those of its issuers; with it the port speaks RTMPS.',
      ).optional(),
      key: setting(path('a PEM file'), 'PEM file of the private key of live.rtmp.tls.certificate.').optional(),
    }),
    maxPublishers: setting(integer(1, 100000), 'Most streams that are published at once.').prefault(1000),
  }).optional(),
  path: setting(
    text('a path such as /live/', /^\/(?:[\w~-][\w.~-]*\/){1,8}$/),
    'Where viewers find streams: PATH/APP/NAME.flv and PATH/APP/NAME/hls.m3u8.',
  ).prefault('/live/'),
  publish: group({
    keys: map(
      setting(
        text('a secret of 1 to 256 printable characters without spaces', /^[\x21-\x7e]{1,256}$/),
        'Secret that a publisher of this stream must give as ?key=… behind its name.',
        { secret: true },
      ),
    ),
    hook: setting(
      text('a URL such as http://127.0.0.1:3000/publish', /^https?:\/\/[^\s#]{1,2000}$/),
      'URL that is asked whether somebody may publish, and told of the end; without it and without keys only this machine may.',
      { secret: true },
    ).optional(),
    takeover: setting(
      choice('authorised', 'never'),
      'Whether somebody who may publish a stream replaces the one who does.',
    ).prefault('authorised'),
  }),
  pull: list(
    setting(
      text('a URL such as http://origin.example.com:8080/live/', /^https?:\/\/[^\s?#]{1,1000}\/$/),
      'Where streams are pulled from that nobody publishes here: URL/APP/NAME.flv, asked in turn; it may hold user:password@.',
      { secret: true },
    ),
    { max: 16 },
  ),
  pullHeaders: addedFields('Fields that are added to each request to servers of live.pull, such as Authorization.'),
  links: setting(
    integer(1, 1000),
    'Most other edges of the cluster that get a stream from one edge; further ones get it from these.',
  ).prefault(16),
  batch: setting(time('10ms', '1s'), 'How often what has come is sent to viewers.').prefault('100ms'),
  buffer: setting(
    time('2s', '60s'),
    'How much of a stream is kept for viewers to join and to catch up; two groups of pictures at least.',
  ).prefault('8s'),
  bufferMax: setting(size('1MiB', '1GiB'), 'Most bytes of a stream that are kept, whatever its bitrate.').prefault(
    '64MiB',
  ),
  slow: group({
    limit: setting(
      time('500ms', '60s'),
      'How far a viewer may fall behind before it loses what it has not taken.',
    ).prefault('3s'),
    disconnect: setting(time('1s', '10m'), 'A viewer that takes no byte for so long is disconnected.').prefault('10s'),
  }),
  grace: setting(time('0', '10m'), 'How long viewers wait for a publisher that has gone.').prefault('10s'),
  hls: group({
    part: setting(time('100ms', '2s'), 'Duration of the parts of segments, as nearly as frames allow.').prefault(
      '200ms',
    ),
    segment: setting(
      time('500ms', '10s'),
      'Least duration of a segment of a live playlist; it ends with the next key frame.',
    ).prefault('2s'),
    window: setting(
      time('0', '24h'),
      'How far back a live playlist goes; twice as much of a stream is kept. 0 serves no HLS.',
    ).prefault('60s'),
  }),
  record: group({
    path: setting(
      path('a directory'),
      'Directory in which streams are recorded, as APP/NAME-TIME.flv or .mp4; none records nothing.',
    ).optional(),
    format: setting(
      choice('flv', 'fmp4'),
      'Format of recordings; viewers of a stream can go back in a recording that is FLV.',
    ).prefault('flv'),
  }),
});

/** The settings of live streams: sizes in bytes, times in milliseconds. */
export type LiveSettings = Values<typeof liveSchema>;

/** The rules between them. @param others ports that the edge listens on beside, with their settings' names */
export function checkLive(live: Draft<LiveSettings>, others: ReadonlyMap<number | undefined, string>, wrong: Wrong) {
  const { rtmp, publish, pullHeaders, slow, hls } = live ?? {};
  const { certificate, key } = rtmp?.tls ?? {};
  if (certificate !== undefined && key === undefined) {
    wrong(['live', 'rtmp', 'tls', 'key'], 'expected the private key of live.rtmp.tls.certificate');
  }
  if (certificate === undefined && key !== undefined) {
    wrong(['live', 'rtmp', 'tls', 'certificate'], 'expected the certificate of live.rtmp.tls.key');
  }
  const taken = rtmp?.port === undefined ? undefined : others.get(rtmp.port);
  if (taken !== undefined) wrong(['live', 'rtmp', 'port'], `expected another port than ${taken}`);
  checkAddedFields(pullHeaders, ['live', 'pullHeaders'], wrong);
  const keys = Object.keys(publish?.keys ?? {});
  for (const name of keys.filter(name => !isStreamName(name))) {
    wrong(['live', 'publish', 'keys', name], 'expected the key of a stream that is called APP/NAME');
  }
  if (keys.length > 0 && publish?.hook !== undefined) {
    wrong(['live', 'publish', 'hook'], 'expected either live.publish.keys or live.publish.hook');
  }
  if (Number(slow?.limit) >= Number(slow?.disconnect)) {
    wrong(['live', 'slow', 'disconnect'], 'expected more than live.slow.limit');
  }
  if (Number(hls?.part) * 2 > Number(hls?.segment)) {
    wrong(['live', 'hls', 'part'], 'expected at most half of live.hls.segment');
  }
  if (hls?.window !== 0 && Number(hls?.segment) * 3 > Number(hls?.window)) {
    wrong(['live', 'hls', 'window'], 'expected 0, or at least three times live.hls.segment');
  }
}
