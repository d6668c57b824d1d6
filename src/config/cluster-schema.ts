import { etcdSettings } from './etcd-settings.js';
import { choice, host, integer, number, path, share, text, time } from './kind.js';
import { group, item, list, setting } from './setting.js';

const id = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** An edge's place among others, whose caches are one. */
export const clusterSchema = item({
  etcd: group(etcdSettings()),
  node: item({
    id: setting(
      text('an id of lower-case letters, digits, dot, dash and underscore', id),
      'Name of this node, its own for good: its place in the map.',
    ),
    weight: setting(integer(1, 1000), 'Share of the films, relative to other nodes of the zone.').prefault(1),
    zone: setting(
      text('a name of lower-case letters, digits, dot, dash and underscore', id),
      'Nodes near each other; each zone has all films, parted among its nodes.',
    ).prefault('default'),
    url: setting(
      text('a URL such as https://edge-1.example.com', /^https?:\/\/[^\s?#@]+$/),
      'Where players reach this node; needed for /locate and redirects.',
    ).optional(),
  }),
  listen: item({
    host: setting(host(), 'Address at which peers reach this node.'),
    port: setting(integer(1, 65535), 'Port for peers.').prefault(8090),
    tls: group({
      ca: setting(
        path('a PEM file'),
        'Authority of the certificates of all edges: with it they speak TLS and know one another by these.',
      ).optional(),
      cert: setting(path('a PEM file'), 'Certificate of this edge, for servers and clients.').optional(),
      key: setting(path('a PEM file'), 'Private key of that certificate.').optional(),
    }),
  }),
  secret: setting(
    text('a text of at least 16 characters', /^.{16,}$/),
    'What edges of the cluster know one another by; the same for all of them. Needed without listen.tls.',
    { secret: true },
  ).optional(),
  routing: setting(
    choice('proxy', 'redirect'),
    'How players come to the node that has a film: by way of any other, or sent there where a film begins.',
  ).prefault('proxy'),
  warmUp: group({
    share: list(
      setting(share(0, 0.5), 'Share of the viewers that go to the first, the second … replica, to keep it warm.'),
      { max: 8 },
    ).prefault(['10%', '2%']),
    from: setting(
      choice('owner', 'origin'),
      'Where a replica has its bytes from: the owner of a film, or its origin.',
    ).prefault('owner'),
  }),
  overload: setting(
    number(1.05, 10),
    'Most that a node sends, as a multiple of the mean; what goes beyond goes to replicas.',
  ).prefault(1.25),
  partitions: setting(
    integer(16, 16384),
    'Parts that all films are divided into; fixed for the life of a cluster.',
  ).prefault(16384),
  replicas: setting(
    integer(0, 8),
    'Nodes beside its owner that each partition has, which stand in for it; fixed like partitions.',
  ).prefault(2),
  ramp: setting(time('0', '24h'), 'How long a node that joins takes to come to its full share.').prefault('10m'),
  holdDown: setting(
    time('10s', '168h'),
    'How long a node may be away before its films are given to others for good.',
  ).prefault('10m'),
});
