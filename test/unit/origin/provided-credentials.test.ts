import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Log } from '../../../src/base/log.js';
import { silentLog } from '../../../src/base/log.js';
import { machineCredentials, ProvidedSource } from '../../../src/origin/s3/provided-credentials.js';
import type { Credentials } from '../../../src/origin/s3/s3-signer.js';

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
    const none = { code: 'origin_unavailable', message: 'the machine gives no S3 credentials' };
    await assert.rejects(async () => source.current(), none);
    await assert.rejects(async () => source.current(), none);
    assert.equal(asked, 1);
    assert.deepEqual(lines, ['the machine gives no S3 credentials']);
  });

  it('come from the servers of instances, containers and web identities, by the package for that', async () => {
    const asked: string[] = [];
    const server = createServer(async (req, res) => {
      let body = '';
      for await (const chunk of req) body += chunk;
      const { method, url, headers } = req;
      asked.push([method, url, headers['x-aws-ec2-metadata-token'] ?? headers.authorization, body].join(' ').trim());
      const answer = answerOf(`${method} ${url}`);
      res.writeHead(answer === undefined ? 404 : 200).end(answer);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    after(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const folder = mkdtempSync(join(tmpdir(), 'moovedge-test-'));
    after(() => rmSync(folder, { recursive: true }));
    const token = join(folder, 'token');
    writeFileSync(token, 'first.web.identity');
    Object.assign(process.env, {
      AWS_EC2_METADATA_SERVICE_ENDPOINT: url,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/keys`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'Basic of-the-pod',
      AWS_ENDPOINT_URL_STS: url,
      AWS_WEB_IDENTITY_TOKEN_FILE: token,
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/edge',
    });

    const instance = await new ProvidedSource(machineCredentials('instance', 'eu-central-1'), silentLog).current();
    assert.deepEqual(ofKeys(instance), ['of the instance', 'secret', 'token']);
    assert.deepEqual(asked.splice(0), [
      'PUT /latest/api/token',
      'GET /latest/meta-data/iam/security-credentials/ session',
      'GET /latest/meta-data/iam/security-credentials/edge session',
    ]);

    const container = await new ProvidedSource(machineCredentials('container', 'eu-central-1'), silentLog).current();
    assert.deepEqual(ofKeys(container), ['of the container', 'secret', 'token']);
    assert.deepEqual(asked.splice(0), ['GET /keys Basic of-the-pod']);

    const identity = new ProvidedSource(machineCredentials('webIdentity', 'eu-central-1'), silentLog);
    assert.deepEqual(ofKeys(await identity.current()), ['of the identity', 'secret', 'token']);
    const [first = ''] = asked.splice(0);
    const sent = new URLSearchParams(first.slice('POST / '.length).trim());
    assert.equal(sent.get('Action'), 'AssumeRoleWithWebIdentity');
    assert.equal(sent.get('RoleArn'), 'arn:aws:iam::123456789012:role/edge');
    assert.equal(sent.get('WebIdentityToken'), 'first.web.identity');
    // Kubernetes writes another token into the file now and then.
    writeFileSync(token, 'second.web.identity');
    identity.expired();
    await identity.current();
    assert.match(asked[0]!, /WebIdentityToken=second\.web\.identity/);
  });
});

function ofKeys(found: Credentials | undefined) {
  return [found?.accessKeyId, found?.secretAccessKey, found?.sessionToken];
}

/** What the servers of a machine say (IMDSv2, ECS, STS); undefined where there is nothing. */
function answerOf(request: string): string | undefined {
  const end = new Date(Date.now() + 3_600_000).toISOString();
  const asJson = (id: string) =>
    JSON.stringify({ Code: 'Success', AccessKeyId: id, SecretAccessKey: 'secret', Token: 'token', Expiration: end });
  switch (request) {
    case 'PUT /latest/api/token':
      return 'session';
    case 'GET /latest/meta-data/iam/security-credentials/':
      return 'edge';
    case 'GET /latest/meta-data/iam/security-credentials/edge':
      return asJson('of the instance');
    case 'GET /keys':
      return asJson('of the container');
    case 'POST /': {
      const keys = `<AccessKeyId>of the identity</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>`;
      const credentials = `<Credentials>${keys}<SessionToken>token</SessionToken><Expiration>${end}</Expiration></Credentials>`;
      const result = `<AssumeRoleWithWebIdentityResult>${credentials}</AssumeRoleWithWebIdentityResult>`;
      const name = 'AssumeRoleWithWebIdentityResponse';
      return `<${name} xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${result}</${name}>`;
    }
  }
  return undefined;
}
