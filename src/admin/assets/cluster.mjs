/** The cluster as this edge sees it: shows `/cluster` and rates, which are differences between two answers. */
import { answerLink, byId, bytes, count, table, tile, watch } from './page.mjs';

/** How much of what a node owns it has had time to fetch. */
function warmth({ state, share }) {
  if (state === 'away') return 'away';
  return share < 1 ? `warming, ${Math.round(share * 100)} %` : 'warm';
}

/** Who serves the films of a node while it is away, the most first. */
function heirsOf({ heirs }) {
  const parts = Object.entries(heirs).sort(([, a], [, b]) => b - a);
  return parts.map(([id, partitions]) => `${id} ${partitions}`).join(', ') || '–';
}

function notesOf({ self, epoch, member, draining, frozen, rival, etcd }) {
  return [
    epoch === 0 && 'There is no map: this edge serves alone, as the owner of everything.',
    !member && `${self} is no member of the cluster at the moment.`,
    draining && `${self} is drained: it takes no new viewers.`,
    !etcd.reachable && 'etcd does not answer: the last map serves on; there are no joins and no new maps.',
    rival && `Another node with the id ${self} is at ${rival.host}:${rival.port}.`,
    ...frozen.map(zone => `More than a third of zone ${zone} is away: the map stays.`),
  ].filter(Boolean);
}

function show(cluster, last, seconds) {
  const { self, epoch, leader, etcd, partitions, nodes, traffic } = cluster;
  const rate = read => (last === undefined ? 0 : Math.max(0, (read(traffic) - read(last.traffic)) / seconds));
  const perSecond = (name, read) => tile(name, `${count.format(rate(read))} /s`, rate(read));
  const up = nodes.filter(({ state }) => state === 'up').length;
  byId('about').textContent = `as ${self} sees it · map ${epoch === 0 ? 'none' : epoch} · leader ${leader ?? '–'}`;
  byId('notes').replaceChildren(
    ...notesOf(cluster).map(text => {
      const line = document.createElement('p');
      line.textContent = text;
      return line;
    }),
  );
  byId('tiles').replaceChildren(
    tile('Nodes up', `${up} of ${nodes.length}`),
    tile('etcd', etcd.reachable ? 'reachable' : 'gone'),
    perSecond('Hops', ({ hops }) => hops),
    perSecond('Answered here instead', ({ fallbacks }) => fallbacks),
    perSecond('Sent to warm replicas', ({ warmUps }) => warmUps),
    perSecond('Overflow', ({ overflows }) => overflows),
  );
  byId('tables').replaceChildren(
    table(
      `Nodes, and the ${partitions} partitions of zone ${nodes.find(({ id }) => id === self)?.zone ?? '–'}`,
      ['Node', 'Zone', 'State', 'Cache', 'Weight', 'Owns', 'Replica of', 'When it is away', 'Address'],
      nodes.map(node => [
        node.id === self ? `${node.id} (this one)` : node.id,
        node.zone,
        node.state,
        warmth(node),
        node.weight,
        node.owns,
        node.replicates,
        heirsOf(node),
        node.port === 0 ? '–' : `${node.host}:${node.port}`,
      ]),
    ),
    table(
      'Hops between this edge and the others, since it was started',
      ['Node', 'Reached', 'Answered', 'Failed', 'Refused', 'Received', 'Sent'],
      Object.entries(traffic.peers).map(([id, peer]) => [
        id,
        peer.isWell ? 'yes' : 'left out',
        count.format(peer.answered),
        count.format(peer.failed),
        count.format(peer.refused),
        bytes(peer.receivedBytes),
        bytes(peer.sentBytes),
      ]),
    ),
  );
}

byId('main').append(answerLink('As JSON', '/cluster'));
watch('/cluster', show);
