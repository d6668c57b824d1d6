import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Edge } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { until } from '../../support/until.js';

const FOLDER = '/dev/shm';
const FILM = '/film.mp4';
/** The memory tier's file is left to the edge. */
const settings = (size = '64MiB') => `cache: {memory: {size: ${size}}}`;
const EDGE_USER = 61_234;
const OTHER_USER = 65_534;
const isRoot = process.geteuid?.() === 0;

for (const user of isRoot ? [undefined, EDGE_USER] : [undefined]) {
  describe(`the catalog beside a memory file in ${FOLDER}, as ${user ?? 'this user'}`, () => {
    let origin: FaultOrigin;
    let edge: Edge;
    let older: Edge | undefined;
    const options = () => ({ origin: origin.url, settings: settings(), ...(user === undefined ? {} : { user }) });
    beforeEach(async () => {
      origin = await FaultOrigin.start();
      origin.put(FILM, { size: 100_000, headers: { 'Cache-Control': 'max-age=3600' } });
      edge = await Edge.start(options());
    });
    afterEach(async () => {
      await origin.close();
      if (older !== undefined) await remove(older);
      older = undefined;
      await remove(edge);
    });

    /** Ends an edge, and takes away what it leaves behind beside its own folder. */
    async function remove(which: Edge): Promise<void> {
      await which.killAll();
      await which.end();
      for (const name of belongings(which)) rmSync(`${FOLDER}/${name}`, { recursive: true, force: true });
    }

    const memoryFile = () => `${FOLDER}/moovedge-${edge.port}.cache`;
    const belongings = (which: Edge) =>
      readdirSync(FOLDER).filter(name => name.startsWith(`moovedge-${which.port}.cache`));
    const catalogs = (which = edge) => belongings(which).filter(name => name.endsWith('.catalog'));
    const watch = async () => assert.equal((await edge.get(FILM)).status, 200);
    /** What is recent there is in the memory of the machine, and outlives every process. */
    const isKnown = () => readFileSync(`${FOLDER}/${catalogs()[0]}/recent.mdb`).includes(FILM);

    async function takeOver(size?: string): Promise<void> {
      older = edge;
      const { folder } = edge;
      edge = await Edge.start({ ...options(), ports: older, folder, settings: settings(size), takeOver: true });
      await older.exited;
    }

    it('has a name that nobody can know before, and is for its user alone', async () => {
      const [name = ''] = catalogs();
      assert.match(name, /^moovedge-\d+\.cache\.[0-9a-f]{32}\.catalog$/);
      const { mode, uid } = statSync(`${FOLDER}/${name}`);
      assert.deepEqual([mode & 0o777, uid], [0o700, user ?? process.geteuid?.()]);
      const other = await Edge.start(options());
      try {
        const hidden = (text = '') => text.split('.').at(-2);
        assert.notEqual(hidden(catalogs(other)[0]), hidden(name), 'each edge has its own');
      } finally {
        await remove(other);
      }
    });

    const ways: Record<string, () => Promise<void>> = {
      'a restart': async () => {
        await edge.stop();
        await edge.restart();
      },
      'the death of all processes': async () => {
        await edge.killAll();
        await edge.restart();
      },
      'a take-over': () => takeOver(),
      'a take-over with another size': () => takeOver('128MiB'),
    };
    for (const [way, happen] of Object.entries(ways)) {
      it(`is found again after ${way}`, async () => {
        await watch();
        await until('the head in the catalog', isKnown);
        await watch();
        const names = catalogs();
        const asked = origin.requests.length;
        await happen();
        await watch();
        assert.equal(origin.requests.length, asked, 'nothing was fetched again');
        assert.deepEqual(catalogs(), names);
      });
    }

    it('goes when its memory file has gone', async () => {
      await watch();
      await edge.stop();
      const names = catalogs();
      rmSync(memoryFile());
      await edge.restart();
      await watch();
      assert.equal(catalogs().length, 1);
      assert.notDeepEqual(catalogs(), names);
    });

    const skip = user === undefined && 'needs root, and an edge that is not';
    it('is not where another user has made a folder', { skip }, async () => {
      await edge.stop();
      for (const name of belongings(edge)) rmSync(`${FOLDER}/${name}`, { recursive: true });
      const traps = ['catalog', `${'0'.repeat(32)}.catalog`].map(end => `${memoryFile()}.${end}`);
      for (const trap of traps) {
        mkdirSync(trap);
        chmodSync(trap, 0o777);
        chownSync(trap, OTHER_USER, OTHER_USER);
      }
      await edge.restart();
      await watch();
      for (const trap of traps) assert.deepEqual(readdirSync(trap), []);
      assert.equal(catalogs().length, 1 + traps.length);
    });
  });
}
