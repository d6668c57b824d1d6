import { isLoopback } from '../base/loopback.js';
import { accessSchema, checkAccess } from './access-schema.js';
import { clusterSchema } from './cluster-schema.js';
import { corsSettings } from './cors-schema.js';
import { checkEtcd } from './etcd-settings.js';
import { choice, flag, host, integer, network, networkRate, or, path, share, size, text, time } from './kind.js';
import { checkListeners, listenSchema } from './listen-schema.js';
import { checkLive, liveSchema } from './live-schema.js';
import { checkObserving, logSchema, tracingSchema } from './observe-schema.js';
import { originSchema } from './origin-schema.js';
import { jobsSchema, storageSchema, transcodeSchema, uploadSchema } from './pipeline-schema.js';
import { checkPacing, checkRoutes, pacingSchema, routesSchema } from './route-schema.js';
import { check, type Draft, group, list, setting, type Values, type Wrong, withRules } from './setting.js';
import { checkWarm, warmSchema } from './warm-schema.js';

/** Size of a disk tier that is not given one. */
export const DISK_SIZE = '10GiB';

/** Every setting of moovedge, each once: what it may be, its bounds and unit, its default, and what it does. */
const tree = group({
  listen: listenSchema,
  trusted: list(
    setting(network(), 'Proxies in front of the edge, whose X-Forwarded-For or Forwarded say who the client is.'),
    { max: 1000 },
  ).prefault(['127.0.0.1/32']),
  workers: setting(or('auto', integer(1, 256)), 'Worker processes; auto is one per core.').prefault('auto'),
  admin: group({
    host: setting(host(), 'Address of the admin port; one that other machines can reach needs a token.').prefault(
      '127.0.0.1',
    ),
    port: setting(integer(1, 65535), 'Port for health, metrics, purge, prefetch and the dashboard.').prefault(8081),
    token: setting(
      text('a secret of 16 to 1024 printable characters without spaces', /^[\x21-\x7e]{16,1024}$/),
      'Secret that requests to the admin port must bear as "Authorization: Bearer …".',
      { secret: true },
    ).optional(),
  }),
  origins: list(originSchema, { max: 1000 }),
  access: accessSchema,
  routes: routesSchema,
  pacing: pacingSchema,
  warm: warmSchema,
  http: group({
    cors: group(corsSettings('')),
    range: group({
      maxParts: setting(
        integer(1, 1000),
        'Most ranges of one request; a request for more is answered with 416.',
      ).prefault(64),
      maxOverlap: setting(
        integer(0, 1000),
        'Most ranges of one request that may overlap others (RFC 9110 section 14.2).',
      ).prefault(2),
    }),
    maxUrlLength: setting(size('256', '16KiB'), 'Longest path with query; a longer one is answered with 414.').prefault(
      '8KiB',
    ),
    dropQuery: list(
      setting(
        text('the name of a query parameter', /^[^\s&=#?]{1,100}$/),
        'Query parameters that neither the cache key nor the origin sees, such as utm_source.',
      ),
      { max: 100 },
    ),
  }),
  limits: group({
    connections: setting(
      or('auto', integer(1, 1000000)),
      'Most connections of one client to one worker; auto is no bound while a quarter of the places is free, then an even share. A client is an IPv4 address or an IPv6 /64; loopback is not bounded.',
    ).prefault('auto'),
    requests: setting(
      or('none', integer(1, 1000000)),
      'Most requests of one client under way in one worker; more are answered with 429.',
    ).prefault('none'),
    rate: setting(
      integer(1, 1000000),
      'Most requests a second of one client to one worker, after twice as many at once; more are answered with 429.',
    ).optional(),
    byAddress: list(
      setting(
        networkRate(),
        'Most requests a second of each client of a network, in place of limits.rate; the first that fits counts.',
      ),
      { max: 1000 },
    ),
    loopback: setting(
      flag(),
      'Bounds clients on this machine, too; not for one behind a proxy on the same machine.',
    ).prefault(false),
    head: setting(
      time('1s', '10m'),
      'Time in which the head of a request must have come; engine node, 10 s with uws.',
    ).prefault('30s'),
    idle: setting(
      time('2s', '24h'),
      'Time that a connection may be idle between requests; engine node, 10 s with uws.',
    ).prefault('75s'),
    streams: setting(
      integer(1, 1000),
      'Most requests under way on one connection of HTTP/2; more wait at the client.',
    ).prefault(100),
  }),
  delivery: group({
    stallTimeout: setting(time('10s', '24h'), 'A player that takes no byte for this long is disconnected.').prefault(
      '5m',
    ),
  }),
  cache: group({
    memory: group({
      size: setting(
        or('auto', size('64MiB', '512GiB')),
        'Memory tier; auto is a quarter of the memory that the edge may use, at most half of what is free on its filesystem.',
      ).prefault('auto'),
      file: setting(
        or('auto', path('a file on a tmpfs or hugetlbfs')),
        'File that all workers map; auto is moovedge-PORT.cache in /dev/shm, or where temporary files are if that is smaller than 160MiB.',
      ).prefault('auto'),
      snapshot: setting(
        path('a file'),
        'File that the memory tier is copied to when the edge stops, and begins from when its file is gone, as after a reboot.',
      ).optional(),
      policy: setting(
        choice('lru', 'demand'),
        'Which blocks leave memory first: those used least recently, or those that are wanted least (docs/cache-policy.md).',
      ).prefault('demand'),
      fillShare: setting(
        share(0.01, 0.9),
        'Most of the memory tier that blocks on their way from an origin may take.',
      ).prefault('25%'),
      scrubRate: setting(
        size('0', '10GiB'),
        'Bytes per second whose checksums are verified in the background; 0 is never.',
      ).prefault('16MiB'),
      verify: setting(
        choice('unclean', 'always'),
        'When the checksum of a block is verified: at its first use after an unclean stop, or at every use.',
      ).prefault('unclean'),
    }),
    disk: group({
      path: setting(path('a directory'), 'Directory of the disk tier; none turns the tier off.').optional(),
      size: setting(size('64MiB', '1024TiB'), 'Most bytes of the disk tier.').prefault(DISK_SIZE),
      admit: setting(
        choice('views', 'demand'),
        'Which blocks that leave memory go to disk: those viewed minHits times, or those that are expected to be used while they are there (docs/cache-policy.md).',
      ).prefault('demand'),
      minHits: setting(
        integer(0, 255),
        'Views that a block needs to go to disk, those included that it had before it left memory; admit: views.',
      ).prefault(2),
      writeBudget: setting(
        or('none', size('64MiB', '1024TiB')),
        'Bytes a day that are written to the disk tier, so that an SSD lasts; a day’s bytes may be written at once after a quiet day.',
      ).prefault('none'),
    }),
    readAhead: group({
      min: setting(size('0', '64MiB'), 'Bytes fetched ahead of a player at first; doubled while it reads on.').prefault(
        '512KiB',
      ),
      max: setting(size('0', '1GiB'), 'Most bytes fetched ahead of a player; 0 turns read-ahead off.').prefault('8MiB'),
      time: setting(
        time('1s', '24h'),
        'What a player reads in this time, at its pace, is the most that is fetched ahead of it, but no less than min.',
      ).prefault('30s'),
    }),
    wholeMax: setting(
      size('1MiB', '64GiB'),
      'Most bytes of an object that is fetched in one, whoever reads it, because it has no length or no (steady) ' +
        'validator; at most a quarter of the memory tier. A larger one goes past the cache.',
    ).prefault('256MiB'),
  }),
  catalog: group({
    path: setting(
      path('a directory'),
      'Directory in which what is known of files outlives a restart; left out: inside cache.disk.path, or in memory only.',
    ).optional(),
    size: setting(size('16MiB', '64GiB'), 'Most bytes of that directory.').prefault('1GiB'),
    memory: setting(size('1MiB', '16GiB'), 'Most bytes in the memory of each worker.').prefault('64MiB'),
  }),
  freshness: group({
    default: setting(
      time('0', '8760h'),
      'How long an answer is fresh that says nothing of it, and that the heuristic says nothing of.',
    ).prefault('10m'),
    min: setting(time('0', '8760h'), 'Least freshness lifetime, whatever the origin says.').prefault('0'),
    max: setting(time('0', '87600h'), 'Greatest freshness lifetime, whatever the origin says.').prefault('8760h'),
    heuristic: setting(
      share(0, 1),
      'Freshness lifetime as a share of the age of Last-Modified, of an answer that says nothing of it and bears that ' +
        '(RFC 9111 section 4.2.2); 0: none, the default holds.',
    ).prefault('10%'),
    heuristicMax: setting(time('0', '8760h'), 'Most that the heuristic gives.').prefault('24h'),
    errorTtl: setting(
      time('0', '1h'),
      'How long a failure of the origin, or a refusal that does not say so itself, is remembered.',
    ).prefault('1s'),
    notFoundTtl: setting(time('0', '24h'), 'How long a 404 or 410 is remembered that does not say so itself.').prefault(
      '10s',
    ),
    staleWhileRevalidate: setting(
      time('0', '8760h'),
      'How long past its freshness a file is served while it is revalidated, unless the origin says (RFC 5861).',
    ).prefault('0'),
    staleIfError: setting(
      time('0', '8760h'),
      'How long past its freshness a file is served while the origin fails, so that films outlive an outage, unless the origin says (RFC 5861); 0 is never.',
    ).prefault('24h'),
    setCookie: setting(
      choice('drop', 'bypass', 'share'),
      'Whether answers that set cookies are stored without the cookie, not at all, or with it for all players.',
    ).prefault('drop'),
    honourRequestDirectives: setting(
      flag(),
      'Whether Cache-Control of requests (no-cache, max-age, only-if-cached …) is obeyed.',
    ).prefault(false),
  }),
  media: group({
    indexMemory: setting(
      size('1MiB', '16GiB'),
      'Most bytes of compiled seek indexes and recent seek plans in the memory of each worker; what HLS and DASH are made of takes up to three quarters as much beside them.',
    ).prefault('64MiB'),
    indexTime: setting(
      time('1s', '10m'),
      'Most CPU time, about, for finding the way through a long film that has no index; others have half a second.',
    ).prefault('10s'),
    mp4: group({
      seek: setting(
        choice('keyframe', 'exact'),
        'Whether ?start= begins at the key frame before, or exactly there, with an edit that hides the lead-in (not in fragmented files).',
      ).prefault('keyframe'),
      faststart: setting(
        choice('off', 'always'),
        'Whether plain requests for files whose moov stands last get it first; the bytes then differ from the origin’s.',
      ).prefault('off'),
      maxMoov: setting(size('1MiB', '1GiB'), 'Largest moov that is seeked in.').prefault('256MiB'),
    }),
    flv: group({
      start: setting(
        choice('auto', 'bytes', 'seconds'),
        'What ?start= of an FLV file counts; auto takes the offset of a key-frame tag as bytes and all else as seconds.',
      ).prefault('auto'),
      timestamps: setting(
        choice('kept', 'rebased'),
        'Whether an FLV answer keeps its timestamps or begins at zero.',
      ).prefault('kept'),
    }),
    packaging: group({
      enabled: setting(flag(), 'Whether films are also there as HLS and DASH (docs/packaging.md).').prefault(true),
      segment: setting(
        time('500ms', '1m'),
        'Length of a segment; each begins with the first key frame at or after a multiple of it.',
      ).prefault('6s'),
      lastSegment: setting(
        share(0, 1),
        'Least part of a segment’s length that the last one may have; a shorter one is part of the one before.',
      ).prefault('50%'),
      hls: setting(
        choice('segments', 'byteranges'),
        'Whether HLS playlists name each segment as a file, or as a range of the track’s file.',
      ).prefault('segments'),
      dash: setting(
        choice('live', 'on-demand'),
        'Whether DASH players find segments by a template of URLs, or by the index in the track’s file.',
      ).prefault('live'),
      hvc1: setting(
        flag(),
        'Whether HEVC is called hvc1 where its parameter sets allow it, which Apple’s players ask for.',
      ).prefault(true),
      names: setting(
        choice('title', 'language'),
        'Whether players show what the file calls a track, or its language.',
      ).prefault('title'),
      subtitles: list(
        setting(
          text('the end of a file name such as .en.srt or .de.vtt', /^[\w.~-]{0,100}\.(?:srt|vtt)$/),
          'Ends of the names of subtitle files beside films: film.en.srt belongs to film.mp4.',
        ),
        { max: 16 },
      ),
    }),
  }),
  log: logSchema,
  tracing: tracingSchema.optional(),
  cluster: clusterSchema.optional(),
  live: liveSchema,
  storage: storageSchema.optional(),
  jobs: jobsSchema,
  upload: uploadSchema,
  transcode: transcodeSchema,
  shutdown: group({
    delay: setting(
      time('0', '1h'),
      'How long the edge serves on when it is told to stop, with /readyz at 503, before its port closes: until the balancer in front has looked and sends nobody any more; 0 is for those that have none.',
    ).prefault('0'),
    grace: setting(time('0', '24h'), 'How long running answers may go on when the edge stops.').prefault('30s'),
    reloadGrace: setting(
      time('0', '24h'),
      'How long the old workers may go on with running answers after a reload.',
    ).prefault('2h'),
  }),
});

/**
 * The whole configuration, checked: sizes in bytes, times in milliseconds, shares from 0 to 1. Plain data that survives
 * JSON.
 */
export type Config = Values<typeof tree>;

/** The schema with the rules between settings. */
export const schema = withRules(tree, (config, wrong) => {
  const { listen, admin, freshness, cache } = config ?? {};
  if (admin?.host !== undefined && !isLoopback(admin.host) && admin.token === undefined) {
    wrong(['admin', 'token'], 'expected a token, because other machines can reach admin.host');
  }
  const playerPorts = (listen ?? []).flatMap(each => (each?.unix === undefined ? (each?.port ?? []) : []));
  if (admin?.port !== undefined && playerPorts.includes(admin.port)) {
    wrong(['admin', 'port'], 'expected another port than listen.port');
  }
  checkListeners(listen, wrong);
  if (Number(freshness?.min) > Number(freshness?.max)) wrong(['freshness', 'min'], 'expected at most freshness.max');
  const readAhead = cache?.readAhead;
  if (readAhead?.max !== 0 && Number(readAhead?.min) > Number(readAhead?.max)) {
    wrong(['cache', 'readAhead', 'min'], 'expected at most cache.readAhead.max');
  }
  if (cache?.memory?.snapshot !== undefined && (config?.catalog?.path ?? cache.disk?.path) === undefined)
    wrong(
      ['cache', 'memory', 'snapshot'],
      'expected catalog.path or cache.disk.path, where it is kept what the blocks are of',
    );
  checkOrigins(config?.origins ?? [], wrong);
  checkAccess(config?.access, wrong);
  const names = (config?.origins ?? []).map(origin => origin?.name);
  checkRoutes(config?.routes, { origins: names, freshness }, wrong);
  checkPacing(config?.pacing, (name, expected) => wrong(['pacing', name], expected));
  checkWarm(config?.warm, wrong);
  checkObserving(config?.log, config?.tracing, wrong);
  if (config?.cluster !== undefined) checkCluster(config.cluster, [...playerPorts, admin?.port], wrong);
  const ports = [
    ...playerPorts.map(port => [port, 'listen.port'] as const),
    [admin?.port, 'admin.port'],
    [config?.cluster?.listen?.port, 'cluster.listen.port'],
  ] as const;
  checkLive(config?.live, new Map(ports), wrong);
});

function checkCluster(
  cluster: NonNullable<Draft<Config>>['cluster'],
  taken: readonly (number | undefined)[],
  wrong: Wrong,
) {
  const { etcd, listen: peers } = cluster ?? {};
  checkEtcd(etcd, (path, expected) => wrong(['cluster', 'etcd', ...path], expected));
  const { ca, cert, key } = peers?.tls ?? {};
  for (const [name, file] of Object.entries({ ca, cert, key })) {
    if (file === undefined && (ca ?? cert ?? key) !== undefined)
      wrong(['cluster', 'listen', 'tls', name], 'expected ca, cert and key, or none of them');
  }
  if (cluster !== undefined && cluster.secret === undefined && ca === undefined)
    wrong(['cluster', 'secret'], 'expected a secret, or certificates in cluster.listen.tls');
  if (peers?.port !== undefined && taken.includes(peers.port)) {
    wrong(['cluster', 'listen', 'port'], 'expected another port than listen.port and admin.port');
  }
}

function checkOrigins(origins: readonly Draft<Config['origins'][number]>[], wrong: Wrong) {
  const names = new Set<string>();
  const places = new Set<string>();
  origins.forEach((origin, index) => {
    const { name, host = '*', path } = origin ?? {};
    if (name !== undefined && names.has(name))
      wrong(['origins', index, 'name'], 'expected a name that no other origin has');
    if (name !== undefined) names.add(name);
    const place = `${host} ${path}`;
    if (path !== undefined && places.has(place)) {
      wrong(['origins', index, 'path'], 'expected a path and host that no other origin has');
    }
    places.add(place);
  });
}

/** The configuration in which everything has its default. */
export function defaultConfig(): Config {
  const checked = check(schema, {});
  if ('issues' in checked) throw new TypeError('the defaults of the schema contradict each other');
  return checked.values;
}
