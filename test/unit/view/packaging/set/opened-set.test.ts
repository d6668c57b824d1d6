import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EDGE_ITSELF } from '../../../../../src/base/asker.js';
import { EdgeError } from '../../../../../src/base/errors.js';
import { perform } from '../../../../../src/media/io/reading.js';
import { memberAt } from '../../../../../src/view/packaging/set/member.js';
import { OpenedSet, openFirst } from '../../../../../src/view/packaging/set/opened-set.js';
import { FakeContent, FakeObject } from '../../../../support/fake-content.js';

const REQUEST = {
  host: 'h',
  path: '/a.mp4',
  query: 't=1',
  hint: { start: 0, end: 1 },
  asker: EDGE_ITSELF,
  field: () => '',
};
const MEMBERS = ['/a.mp4', '/b.mp4', '/c.mp4'].map(path => memberAt(path, 'film'));

function content(b: FakeObject | EdgeError) {
  const made = new FakeContent();
  const [a, c] = [new FakeObject(Buffer.from('a')), new FakeObject(Buffer.from('c'))];
  a.age = 5;
  c.age = 9;
  made.paths.set('/a.mp4', a).set('/b.mp4', b).set('/c.mp4', c);
  return { made, a, c };
}

for (const late of [false, true]) {
  const how = late ? 'late' : 'at once';

  it(`a file that is not there is left out, ${how}`, async () => {
    const { made, a, c } = content(new EdgeError('forbidden', 'not for you'));
    if (late) made.gate = Promise.resolve();
    const held = new FakeObject(Buffer.from('held'));
    const set = new OpenedSet(false, held.open());
    await perform(set.open(made, MEMBERS, REQUEST));
    assert.deepEqual(
      set.members.map(open => open && set.fileNumber(open)),
      [1, undefined, 3],
    );
    assert.deepEqual(set.notes, ['b.mp4 is left out: not for you']);
    assert.ok(made.requests.every(({ host, query }) => host === 'h' && query === 't=1'));
    const one = set.asOne(set.films[0]!.opened);
    assert.equal(one.age, 9, 'that of the oldest');
    one.release();
    assert.deepEqual([a.releases, c.releases, held.releases], [1, 1, 1]);
  });

  it(`while an origin fails there is no set, and all is let go, ${how}`, async () => {
    const { made, a, c } = content(new EdgeError('origin_unavailable', 'down'));
    if (late) made.gate = Promise.resolve();
    const set = new OpenedSet(false, new FakeObject(Buffer.from('held')).open());
    await assert.rejects(async () => perform(set.open(made, MEMBERS, REQUEST)), { code: 'origin_unavailable' });
    set.release();
    assert.deepEqual([a.releases, c.releases], [1, 1]);
    await assert.rejects(async () => perform(openFirst(made, ['/none.mp4', '/b.mp4', '/a.mp4'], REQUEST)), {
      code: 'origin_unavailable',
    });
  });

  it(`without any film the first error is the answer, ${how}`, async () => {
    const made = new FakeContent();
    made.paths.set('/a.mp4', new EdgeError('unauthorized', 'who are you?'));
    if (late) made.gate = Promise.resolve();
    const set = new OpenedSet(false, new FakeObject(Buffer.from('held')).open());
    await assert.rejects(async () => perform(set.open(made, MEMBERS, REQUEST)), { code: 'unauthorized' });
    const paths = MEMBERS.map(({ path }) => path);
    await assert.rejects(async () => perform(openFirst(made, paths, REQUEST)), { code: 'unauthorized' });
  });
}
