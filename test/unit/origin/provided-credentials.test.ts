import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import type { Log } from '../../../src/base/log.js';
import { silentLog } from '../../../src/base/log.js';
import { machineCredentials, ProvidedSource } from '../../../src/origin/s3/provided-credentials.js';

const keys = (n: number, milliseconds: number) => ({
  ...{ accessKeyId: `key ${n}`, secretAccessKey: 'secret', sessionToken: 'token' },
  expiration: new Date(Date.now() + milliseconds),
});

describe('credentials of the machine', () => {
  it('are asked for once by all who wait, and kept', async () => {
    let asked = 0;
    const source = new ProvidedSource(async () => keys(++asked, 3_600_000), silentLog);
    const both = await Promise.all([source.current(), source.current()]);
    assert.deepEqual(
      both.map(each => each?.accessKeyId),
      ['key 1', 'key 1'],
    );
    assert.deepEqual(source.current(), both[0], 'at once');
    source.expired();
    assert.equal((await source.current())?.accessKeyId, 'key 2', 'the store says that they are no good any more');
  });

  it('are replaced before they end, while nobody waits', async () => {
    let asked = 0;
    const answers: (() => void)[] = [];
    const source = new ProvidedSource(async () => {
      const n = ++asked;
      if (n > 1) await new Promise<void>(resolve => answers.push(resolve));
      return keys(n, n === 1 ? 60_000 : 3_600_000);
    }, silentLog);
    assert.equal((await source.current())?.accessKeyId, 'key 1');
    assert.ok(!(source.current() instanceof Promise), 'a minute is enough to use them');
    answers[0]!();
    await new Promise(setImmediate);
    assert.equal((await source.current())?.accessKeyId, 'key 2');
  });

  it('that can’t be had are told of, and asked for again later', async () => {
    const lines: string[] = [];
    const note = (_: object, text: string) => void lines.push(text);
    const log: Log = { debug: note, info: note, warn: note, error: note };
    let asked = 0;
    const source = new ProvidedSource(async () => {
      asked++;
      throw new Error('no instance');
    }, log);
    assert.equal(await source.current(), undefined);
    assert.equal(await source.current(), undefined);
    assert.equal(asked, 1);
    assert.deepEqual(lines, ['the machine gives no S3 credentials']);
  });

  it('come from a container’s server, by the package for that', async () => {
    const server = createServer((_, res) => {
      const { accessKeyId, secretAccessKey, sessionToken, expiration } = keys(7, 3_600_000);
      const body = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken };
      res
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ ...body, Expiration: expiration }));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    after(() => server.close());
    process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
    const source = new ProvidedSource(machineCredentials('container', 'eu-central-1'), silentLog);
    const found = await source.current();
    assert.equal(found?.accessKeyId, 'key 7');
    assert.equal(found?.sessionToken, 'token');
  });
});
