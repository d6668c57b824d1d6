import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until.js';
import type { EdgeMachine } from './machines.js';
import type { Scene } from './scene.js';

/** Something that goes wrong, or that operators do. It is over when `inject` resolves. */
export interface ClusterFault {
  readonly name: string;
  /** What it can't do without. */
  readonly needs?: 'network' | 'clock';
  inject(scene: Scene): Promise<void>;
}

/** Milliseconds that outlast a lease. */
const LONG = 8000;
/** Milliseconds for which edges go on without any etcd: minutes, as an outage lasts that somebody has to mend. */
const OUTAGE = 150_000;

const others = ({ edges }: Scene, than: EdgeMachine) => edges.filter(edge => edge !== than);

/** The edge that writes maps. */
async function leaderOf(scene: Scene): Promise<EdgeMachine> {
  return until('a leader', async () => {
    const status = await scene.edges[0]!.status();
    return scene.edges.find(({ id }) => id === status?.leader);
  });
}

/**
 * Measures from the moment of `act` on how long new requests for films of the victim take at the others, and how long
 * until each of them sees it away.
 */
async function death(scene: Scene, victim: EdgeMachine, what: string, act: () => void, isSeen: boolean): Promise<void> {
  const living = others(scene, victim);
  // How long the same takes while the victim lives, on this machine as it is.
  const before = await Promise.all(living.map(() => scene.freshFilm(victim)));
  const calm = performance.now();
  const known = living.map(async (edge, i) => {
    await scene.ask(edge, before[i]!);
    scene.measure(`${what}: a new film just before, ms`, performance.now() - calm);
  });
  await Promise.all(known);
  const films = await Promise.all(living.map(() => scene.freshFilm(victim)));
  const begun = performance.now();
  act();
  const answered = living.map(async (edge, i) => {
    const { outcome } = await scene.ask(edge, films[i]!);
    if (outcome === 'whole') scene.measure(`${what}: others stop using it, ms`, performance.now() - begun);
  });
  const seen = (isSeen ? living : []).map(async edge => {
    const isAway = async () =>
      (await edge.status())?.nodes.some(({ id, state }) => id === victim.id && state === 'away');
    await until(`${edge.id} to see ${victim.id} away`, isAway, 60);
    scene.measure(`${what}: seen by all, ms`, performance.now() - begun);
  });
  await Promise.all([...answered, ...seen]);
  const asked = scene.history.asked.filter(({ at, edge }) => edge !== victim.id && at >= begun && at < begun + 2000);
  const failed = asked.filter(({ outcome }) => outcome !== 'whole').length;
  scene.measure(`${what}: failed new requests of 2 s, %`, (failed / Math.max(1, asked.length)) * 100);
}

async function stopFor(scene: Scene, victim: EdgeMachine, milliseconds: number, isSeen: boolean): Promise<void> {
  await scene.trouble([victim], 'SIGSTOP', async () => {
    const end = performance.now() + milliseconds;
    await death(scene, victim, `SIGSTOP`, () => victim.program.signal('SIGSTOP'), isSeen);
    await sleep(Math.max(0, end - performance.now()));
    victim.program.signal('SIGCONT');
  });
}

/** Map revisions that etcd has seen so far. */
const rewrites = ({ history }: Scene) => history.stored.filter(({ key }) => key === 'map').length;

/** Nobody may write a map meanwhile. */
async function withoutMaps(scene: Scene, what: string, action: () => Promise<void>): Promise<void> {
  const before = rewrites(scene);
  await action();
  await scene.settle();
  const count = rewrites(scene) - before;
  scene.measure(`${what}: maps written`, count);
  if (count > 0) throw new Error(`${count} maps were written during: ${what}`);
}

/** Takes the films from a node and gives it some again. */
async function drainAndBack(scene: Scene, node: EdgeMachine, by: EdgeMachine, meanwhile?: () => Promise<void>) {
  const owns = async (edge: EdgeMachine) => (await edge.status())?.nodes.find(({ id }) => id === node.id)?.owns;
  await until(`${node.id} to be drained`, () => by.command('drain', node.id));
  const living = scene.edges.filter(edge => edge.program.isAlive);
  await until('it to own nothing', async () => (await owns(by)) === 0);
  await meanwhile?.();
  for (const edge of living) await until(`${edge.id} to know`, async () => (await owns(edge)) === 0);
  await until('it to be taken back', () => by.command('undrain', node.id));
}

/** How often a node stops and goes on, once a second. */
const FLAPS = 60;

export const FAULTS: readonly ClusterFault[] = [
  {
    name: 'kill -9',
    async inject(scene) {
      const victim = scene.random.pick(scene.edges);
      await scene.trouble([victim], 'kill -9', async () => {
        await death(scene, victim, 'kill -9', () => victim.program.signal('SIGKILL'), true);
        victim.program.start();
      });
    },
  },
  { name: 'SIGSTOP 3 s', inject: scene => stopFor(scene, scene.random.pick(scene.edges), 3000, false) },
  { name: 'SIGSTOP 30 s', inject: scene => stopFor(scene, scene.random.pick(scene.edges), 30_000, true) },
  {
    name: 'two edges parted',
    needs: 'network',
    async inject(scene) {
      const [a, b] = [...scene.edges].sort(() => scene.random.next() - 0.5) as [EdgeMachine, EdgeMachine];
      await withoutMaps(scene, 'two edges parted', async () => {
        scene.part(a.program, b.program);
        await sleep(LONG);
        scene.network.heal();
      });
    },
  },
  {
    name: 'one-way cut',
    needs: 'network',
    async inject(scene) {
      const [a, b] = [...scene.edges].sort(() => scene.random.next() - 0.5) as [EdgeMachine, EdgeMachine];
      await withoutMaps(scene, 'one-way cut', async () => {
        scene.network.cut(a.program.host, b.program.host);
        await sleep(LONG);
        scene.network.heal();
      });
    },
  },
  {
    name: 'edge cut off from etcd',
    needs: 'network',
    async inject(scene) {
      const edge = await leaderOf(scene);
      for (const member of scene.etcd) scene.part(edge.program, member);
      await sleep(LONG);
      scene.network.heal();
    },
  },
  {
    name: 'edge cut off from all',
    needs: 'network',
    async inject(scene) {
      const edge = scene.random.pick(scene.edges);
      const cut = () => {
        for (const { program } of others(scene, edge)) scene.part(edge.program, program);
        for (const member of scene.etcd) scene.part(edge.program, member);
      };
      await death(scene, edge, 'cut off', cut, true);
      await sleep(LONG);
      scene.network.heal();
    },
  },
  {
    name: 'leader of etcd isolated',
    needs: 'network',
    async inject(scene) {
      const leader = await scene.etcdLeader();
      for (const member of scene.etcd) if (member !== leader) scene.part(leader, member);
      await sleep(LONG);
      scene.network.heal();
    },
  },
  {
    name: 'two of three of etcd gone',
    inject: scene =>
      withoutMaps(scene, 'two of three of etcd gone', async () => {
        const lost = scene.etcd.slice(1);
        for (const member of lost) await member.kill();
        await sleep(LONG);
        for (const member of lost) member.start();
      }),
  },
  {
    name: 'all of etcd gone',
    inject: scene =>
      withoutMaps(scene, 'all of etcd gone', async () => {
        for (const member of scene.etcd) await member.kill();
        await sleep(OUTAGE);
        for (const member of scene.etcd) member.start();
      }),
  },
  {
    name: 'compaction while a watch is cut',
    needs: 'network',
    async inject(scene) {
      const [by, cut, node] = scene.edges as [EdgeMachine, EdgeMachine, EdgeMachine];
      for (const member of scene.etcd) scene.part(cut.program, member);
      await drainAndBack(scene, node, by, async () => {
        const revision = await until('etcd', () => scene.put('compacted'));
        await until('the history to be read', () => scene.log.revision >= revision);
        await scene.etcdPost('/v3/kv/compaction', { revision: String(revision), physical: true });
        scene.network.heal();
      });
    },
  },
  {
    name: 'clock jumps',
    needs: 'clock',
    async inject(scene) {
      for (const jump of ['+3600', '-3600', '+0']) {
        writeFileSync(scene.clock!, jump);
        await sleep(4000);
      }
    },
  },
  {
    name: 'flaps once a second',
    async inject(scene) {
      const victim = scene.random.pick(scene.edges);
      await withoutMaps(scene, 'flaps', () =>
        scene.trouble([victim], 'flaps', async () => {
          for (let half = 0; half < 2 * FLAPS; half++) {
            victim.program.signal(half % 2 === 0 ? 'SIGSTOP' : 'SIGCONT');
            await sleep(500);
          }
        }),
      );
    },
  },
  {
    name: 'rolling restarts',
    inject: scene =>
      withoutMaps(scene, 'rolling restarts', async () => {
        for (const edge of scene.edges) {
          await scene.trouble([edge], 'restart', async () => {
            await edge.program.stop();
            edge.program.start();
          });
        }
      }),
  },
  {
    name: 'all edges restarted at once',
    inject: scene =>
      withoutMaps(scene, 'all edges restarted at once', () =>
        scene.trouble(scene.edges, 'restart of all', async () => {
          await Promise.all(scene.edges.map(({ program }) => program.stop()));
          for (const { program } of scene.edges) program.start();
        }),
      ),
  },
  {
    name: 'take-over',
    inject: scene => withoutMaps(scene, 'take-over', () => scene.random.pick(scene.edges).program.takeOver()),
  },
  {
    name: 'reload',
    inject: scene =>
      withoutMaps(scene, 'reload', async () => {
        const edge = scene.random.pick(scene.edges);
        edge.program.reload();
        await sleep(3000);
      }),
  },
  {
    name: 'drain and back',
    async inject(scene) {
      const [node, by] = [...scene.edges].sort(() => scene.random.next() - 0.5) as [EdgeMachine, EdgeMachine];
      await drainAndBack(scene, node, by);
    },
  },
  {
    name: 'a leader hangs while another is chosen',
    async inject(scene) {
      const former = await leaderOf(scene);
      const [node, by] = others(scene, former) as [EdgeMachine, EdgeMachine];
      await scene.trouble([former], 'SIGSTOP', async () => {
        former.program.signal('SIGSTOP');
        await drainAndBack(scene, node, by, async () => former.program.signal('SIGCONT'));
      });
    },
  },
];
