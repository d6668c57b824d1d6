import assert from 'node:assert/strict';
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { test } from 'node:test';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { keyPath } from '../../../../src/origin/s3/s3-key.js';
import { type Credentials, S3Signer } from '../../../../src/origin/s3/s3-signer.js';

// The keys are AWS's published examples.
const EXAMPLE: Credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

test("AWS's published examples for S3 (Authenticating Requests, signature calculations in the Authorization header)", async () => {
  const signer = new S3Signer('us-east-1');
  const now = Date.UTC(2013, 4, 24);
  const vectors = [
    ['/test.txt', { range: 'bytes=0-9' }, 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'],
    ['/?lifecycle', {}, 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
    ['/?max-keys=2&prefix=J', {}, '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
  ] as const;
  for (const [target, fields, signature] of vectors) {
    const signed = await signer.sign(`https://examplebucket.s3.amazonaws.com${target}`, EXAMPLE, now, fields);
    const names = ['host', ...Object.keys(fields), 'x-amz-content-sha256', 'x-amz-date'].join(';');
    assert.equal(
      signed.authorization,
      `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=${names}, Signature=${signature}`,
    );
    assert.equal(signed['x-amz-date'], '20130524T000000Z');
    assert.equal(signed['x-amz-content-sha256'], EMPTY);
  }
});

/** What @smithy/signature-v4 wants for a hash. */
class Sha256 {
  #hash: Hash | Hmac;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string);
  }
  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

test('an independent signer agrees, for any key, account, region and time', async () => {
  const word = fc.stringMatching(/^[A-Za-z0-9/+=]{1,60}$/);
  const segment = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter(text => {
    return !/[\0/]|^\.{1,2}$/.test(text) && !/\p{Surrogate}/u.test(text);
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(segment, { minLength: 1, maxLength: 4 }),
      fc.record({ accessKeyId: word, secretAccessKey: word, sessionToken: fc.option(word, { nil: undefined }) }),
      fc.constantFrom('us-east-1', 'eu-central-1', 'auto'),
      fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }),
      fc.constantFrom('bucket.s3.eu-central-1.amazonaws.com', '127.0.0.1:9000'),
      async (segments, credentials, region, date, host) => {
        const path = keyPath(`/${segments.map(encodeURIComponent).join('/')}`)!;
        const own = await new S3Signer(region).sign(`https://${host}${path}`, credentials, date.getTime());
        const other = new SignatureV4({
          service: 's3',
          region,
          credentials: {
            ...credentials,
            ...(credentials.sessionToken === undefined && { sessionToken: undefined }),
          } as Credentials & { sessionToken?: string },
          sha256: Sha256,
          uriEscapePath: false,
          applyChecksum: false,
        });
        const signed = await other.sign(
          {
            method: 'GET',
            protocol: 'https:',
            hostname: host,
            path,
            headers: { host, 'x-amz-content-sha256': EMPTY },
            query: {},
          },
          { signingDate: date },
        );
        assert.equal(own.authorization, signed.headers.authorization);
        assert.equal(own['x-amz-security-token'], credentials.sessionToken);
      },
    ),
    { numRuns: 200 },
  );
});
