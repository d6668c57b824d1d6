import { setTimeout as sleep } from 'node:timers/promises';
import { kill } from '../../support/processes.js';
import { until } from '../../support/until.js';
import type { Scene } from './scene.js';
import type { Departure } from './stream.js';

/** A way in which a live stream is harmed. */
export interface LiveFault {
  readonly name: string;
  /** Viewers who stay may be ended by it. */
  readonly endsViewers?: boolean;
  /** Does it; resolves when it is over. */
  inject(scene: Scene): Promise<unknown>;
}

/** What a publisher's clock may say when it comes: it may be about to come around, by 24, 31 or 32 bits. */
const CLOCKS = [0, 2 ** 24 - 500, 2 ** 31 - 500, 2 ** 32 - 500] as const;
const DEPARTURES: readonly Departure[] = ['breaks', 'ends', 'is replaced'];
const RESTARTS = 10;
/** Viewers that come in a crowd. */
const CROWD = 40;

/** Every kind of fault. */
export const LIVE_FAULTS: readonly LiveFault[] = [
  {
    name: 'ten publishers follow one another',
    async inject({ stream, random }) {
      for (let restart = 0; restart < RESTARTS; restart++) {
        await stream.restart(DEPARTURES[restart % DEPARTURES.length]!, random.pick(CLOCKS));
        await sleep(random.integer(0, 400));
      }
    },
  },
  {
    name: 'a publisher is silent',
    async inject({ stream, random }) {
      stream.isSilent = true;
      await sleep(random.integer(300, 1500));
      stream.isSilent = false;
    },
  },
  {
    name: 'a burst of bitrate',
    async inject({ stream, random }) {
      stream.burst = random.integer(5, 40);
      await sleep(random.integer(300, 1000));
      stream.burst = 1;
    },
  },
  {
    name: 'viewers stall',
    async inject(scene) {
      const stalled = Array.from({ length: CROWD }, () => scene.watch());
      await until('their pictures', () => stalled.every(({ picture, isOver }) => isOver || picture >= 0));
      for (const watcher of stalled) watcher.pause();
      // More than sockets hold.
      scene.stream.burst = 20;
      await sleep(scene.random.integer(500, 1500));
      scene.stream.burst = 1;
      for (const watcher of stalled) watcher.resume();
      const from = scene.stream.pictures;
      await until('their going on', () => stalled.every(({ picture, isOver }) => isOver || picture >= from));
      for (const watcher of stalled) {
        if (watcher.isOver) scene.violation('a viewer that stood still for a moment was ended');
        scene.dismiss(watcher);
      }
    },
  },
  {
    name: 'a crowd comes, and leaves in the middle of a tag',
    async inject(scene) {
      const crowd = Array.from({ length: CROWD }, () => scene.watch());
      await until('their pictures', () => crowd.every(({ picture, isOver }) => isOver || picture >= 0));
      for (const watcher of crowd) scene.dismiss(watcher);
    },
  },
  {
    name: 'a worker is killed',
    endsViewers: true,
    async inject({ live, log, random }) {
      const victim = random.pick(live.edge.workers);
      log.expectDeaths([victim]);
      const another = log.next(text => text === 'worker ready', 60_000);
      kill(victim);
      await another;
      await until('its end', () => !live.edge.workers.includes(victim));
    },
  },
  {
    name: 'the ingest is killed',
    async inject({ live }) {
      const victim = live.ingestPid;
      if (victim !== undefined) kill(victim);
      await until('another one', () => live.ingestPid !== undefined && live.ingestPid !== victim);
    },
  },
  {
    name: 'a reload',
    endsViewers: true,
    async inject({ live, log }) {
      const reloaded = log.next(text => text === 'reloaded', 60_000);
      const old = live.edge.workers;
      live.edge.signal('SIGHUP');
      await reloaded;
      await until('no old worker', () => live.edge.workers.every(pid => !old.includes(pid)));
    },
  },
];
