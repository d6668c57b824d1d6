import { parseOrigin } from '../base/origin-url.js';
import { NOT_FORWARDED } from '../base/request-fields.js';
import { addedFields, checkAddedFields } from './added-fields.js';
import { bucketSettings, checkKeys } from './bucket-settings.js';
import { choice, flag, integer, type Kind, names, originUrl, path, size, text, time, webUrl } from './kind.js';
import { group, item, list, setting, withRules } from './setting.js';

const hostName = text(
  'a host name, or *. and a domain, in lower case and without a port',
  /^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$|^\[[0-9a-f:]+\]$/,
);

/** The name of a query parameter. */
export const PARAMETER = /^[^\s&=#?]{1,100}$/;

/** The name of a request field that an origin may be sent, in lower case. */
export function forwardable(): Kind<string> {
  return {
    expected: 'the name of a request field that may go on to the origin',
    json: { type: 'string' },
    parse(value) {
      const name = typeof value === 'string' ? value.toLowerCase() : '';
      const isOurs = NOT_FORWARDED.has(name) || name === 'authorization';
      return /^[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/.test(name) && !isOurs ? name : undefined;
    },
    hint: value =>
      /^authorization$/i.test(String(value))
        ? 'Authorization goes on anyway'
        : 'the edge sets fields of the connection, of ranges, conditions and codings itself',
  };
}

/** One place where files come from. */
export const originSchema = withRules(
  item({
    name: setting(
      text('a name of lower-case letters, digits, dot, dash and underscore', /^[a-z0-9][a-z0-9._-]{0,63}$/),
      'Name in logs, metrics and cache keys.',
    ),
    url: setting(
      originUrl(),
      'Where the files are: a directory, http(s)://host/base or s3://bucket/prefix.',
    ).optional(),
    urls: list(
      item({
        url: setting(originUrl(), 'One of several places that hold the same files.'),
        weight: setting(integer(1, 1000), 'Share of the requests, when balance is weighted.').prefault(1),
      }),
      { max: 32 },
    ),
    balance: setting(
      choice('ordered', 'weighted'),
      'Which of several urls is asked first: the first that works, or each by its weight.',
    ).prefault('ordered'),
    host: setting(hostName, 'Host field of the requests that come here; left out: any.').optional(),
    path: setting(
      text('a path that begins with /', /^\/[^\s?#]{0,1023}$/),
      'Beginning of the paths that come here; the longest that fits wins.',
    ).prefault('/'),
    stripPath: setting(flag(), 'Whether the origin is asked without that beginning.').prefault(true),
    query: group({
      key: setting(
        names('names of query parameters', PARAMETER),
        'Query parameters that tell files apart: they make the cache key and go on to the origin; left out: all for servers, none for directories, what GetObject reads for buckets.',
      ).optional(),
      forward: setting(
        names('names of query parameters', PARAMETER),
        'Query parameters that go on to the origin without making the key, such as a token; whoever asks gets the cached file.',
      ).prefault('none'),
      drop: list(
        setting(
          text('the name of a query parameter', PARAMETER),
          'Query parameters that do neither, when all is said of key or forward.',
        ),
        {
          max: 100,
        },
      ),
    }),
    forward: list(
      setting(
        forwardable(),
        'Fields of players’ requests that go on to the origin from the first request on, besides Authorization, which always does.',
      ),
      { max: 32 },
    ),
    timeouts: group({
      connect: setting(time('10ms', '5m'), 'Longest wait for a connection.').prefault('3s'),
      firstByte: setting(time('10ms', '10m'), 'Longest wait for the head of an answer.').prefault('10s'),
      stall: setting(time('10ms', '10m'), 'Longest wait for the next byte of a body.').prefault('15s'),
    }),
    retries: setting(
      integer(0, 20),
      'Further tries of a fetch that failed, each at the byte where the last one stopped.',
    ).prefault(3),
    maxConnections: setting(integer(1, 10000), 'Most connections of one worker to one url.').prefault(256),
    maxFetches: setting(integer(1, 100000), 'Most fetches of one worker at once.').prefault(256),
    queue: setting(
      integer(0, 1000000),
      'Fetches of one worker that may wait for their turn, which clients take one after the other; more are answered with 503.',
    ).prefault(1024),
    retryAfter: setting(
      choice('url', 'server'),
      'What an answer of 429 or 503 with Retry-After holds back: its URL, or all of its server.',
    ).prefault('url'),
    hedgeAfter: setting(
      time('10ms', '10m'),
      'A second url is asked when the first byte is this late; left out: never.',
    ).optional(),
    shield: setting(
      webUrl('http(s)://host/base'),
      'A cache in front of the urls, such as another edge: asked before them, and they when it fails; without it, none.',
    ).optional(),
    health: item({
      path: setting(
        text('a path that begins with /', /^\/[\x21-\x7e]{0,1023}$/),
        'What each url is asked for, below it, to see whether it is well: 2xx and 3xx are.',
      ),
      interval: setting(time('100ms', '1h'), 'Time between two checks of a url by each worker.').prefault('10s'),
      timeout: setting(time('10ms', '5m'), 'How long an answer to a check may take.').prefault('2s'),
      failures: setting(integer(1, 100), 'Bad answers in a row after which a url is down.').prefault(3),
      successes: setting(integer(1, 100), 'Good answers in a row after which it is up again.').prefault(2),
    }).optional(),
    redirects: group({
      mode: setting(
        choice('follow', 'pass'),
        'Whether the edge follows redirects (those of buckets: always), or passes them on to players and caches them like any answer.',
      ).prefault('follow'),
      hosts: list(setting(hostName, 'Hosts that redirects may lead to, beside the origin’s own.'), { max: 100 }),
      max: setting(integer(0, 20), 'Most redirects of one fetch.').prefault(5),
    }),
    headers: addedFields('Fields that are added to each request.'),
    quota: setting(
      size('1MiB', '1024TiB'),
      'Most bytes of this origin that are cached, in memory and on disk together, but for some seconds; left out: any.',
    ).optional(),
    s3: item({
      ...bucketSettings(),
      credentials: setting(
        choice('instance', 'container', 'webIdentity'),
        'Keys of the machine: of its instance (IMDSv2), of ECS or EKS Pod Identity, or of a web identity (IRSA).',
      ).optional(),
      credentialsFile: setting(
        path('a file'),
        'File in the form of ~/.aws/credentials; its default profile is used.',
      ).optional(),
    }).optional(),
    tls: item({
      ca: setting(path('a PEM file'), 'Certificate authorities to trust instead of the system’s.').optional(),
      cert: setting(path('a PEM file'), 'Certificate that the edge shows to the origin.').optional(),
      key: setting(path('a PEM file'), 'Private key of cert.').optional(),
      serverName: setting(
        hostName,
        'Name that the origin’s certificate must bear; left out: the host of its url.',
      ).optional(),
      verify: setting(flag(), 'Whether the origin’s certificate is verified.').prefault(true),
    }).optional(),
  }),
  (origin, wrong) => {
    const { url, urls, headers, s3, tls, forward, query, health, shield } = origin ?? {};
    if (url === undefined && urls?.length === 0) wrong(['url'], 'expected url or urls');
    if (url !== undefined && urls !== undefined && urls.length > 0) wrong(['urls'], 'expected either url or urls');
    checkKeys(s3, wrong);
    if (s3?.credentials !== undefined && (s3.accessKeyId !== undefined || s3.credentialsFile !== undefined))
      wrong(['s3', 'credentials'], 'expected either keys, credentialsFile or credentials');
    if ((tls?.cert === undefined) !== (tls?.key === undefined)) {
      wrong(['tls', tls?.cert === undefined ? 'cert' : 'key'], 'expected both cert and key or none');
    }
    checkAddedFields(headers, ['headers'], wrong);
    const bases = [url, ...(urls ?? []).map(one => one?.url)].filter(base => base !== undefined);
    const schemes = new Set(bases.map(base => parseOrigin(base).kind));
    if (schemes.size > 1) wrong(['urls'], 'expected urls of one kind: directories, http(s) or s3');
    if (schemes.has('file') && bases.length > 1) wrong(['urls'], 'expected one directory');
    if (schemes.size > 0 && !schemes.has('http') && (forward?.length ?? 0) > 0) {
      wrong(['forward'], 'expected no fields, which neither directories nor buckets heed');
    }
    if (schemes.size > 0 && !schemes.has('http')) {
      if (health !== undefined) wrong(['health'], 'expected no checks, which only http(s) urls have');
      if (shield !== undefined) wrong(['shield'], 'expected no shield, which only http(s) urls have');
    }
    checkQuery(query?.key, query?.forward, message => wrong(['query', 'forward'], message));
    if (s3 !== undefined && schemes.size > 0 && !schemes.has('s3')) wrong(['s3'], 'expected an s3:// url');
  },
);

type Names = 'all' | 'none' | readonly (string | undefined)[] | undefined;

/** A parameter is part of the key, or goes on without being so. */
function checkQuery(key: Names, forward: Names, wrong: (message: string) => void): void {
  if (key === 'all' && forward === 'all') wrong('expected all for one of key and forward');
  if (!Array.isArray(key) || !Array.isArray(forward)) return;
  const both = forward.find(name => key.includes(name));
  if (both !== undefined) wrong(`expected ${both} in one of key and forward`);
}
