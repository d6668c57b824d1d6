import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redact, redactUrl } from '../../../src/observe/redact.js';
import { cpuStopwatch } from '../../support/stopwatch.js';

test('secrets in fields are left out at any depth, and nothing else', () => {
  const line = JSON.stringify({
    text: 'asked',
    admin: { token: 'abc"def', port: 8081 },
    s3: [{ secretAccessKey: 'k/y+=', sessionToken: 's', accessKeyId: 'AKIA', region: 'eu' }],
    headers: { Authorization: 'Bearer xyz', Cookie: 'a=b', 'set-cookie': 'c', range: 'bytes=0-1' },
  });
  const clean = redact(line);
  for (const secret of ['abc', 'def', 'k/y', '"s"', 'AKIA', 'xyz', 'a=b', '"c"'])
    assert.ok(!clean.includes(secret), secret);
  assert.equal(JSON.parse(clean).headers.range, 'bytes=0-1');
  assert.equal(JSON.parse(clean).s3[0].region, 'eu');
  assert.equal(JSON.parse(clean).admin.port, 8081);
});

test('secrets in URLs and in sentences are left out', () => {
  const cases = [
    ['https://user:pa%40ss@host/x', 'https://[redacted]@host/x'],
    ['http://h/a.mp4?X-Amz-Signature=abc&x=1', 'http://h/a.mp4?X-Amz-Signature=[redacted]&x=1'],
    ['/a?start=5&access_token=q&end=6', '/a?start=5&access_token=[redacted]&end=6'],
    ['/a.mp4?start=5', '/a.mp4?start=5'],
    ['Location //user:pw@host/x', 'Location //[redacted]@host/x'],
    ['https://user:p@ss@host/x', 'https://[redacted]@host/x'],
    ['/a?e=1&md5=abc&st=2', '/a?e=1&md5=[redacted]&st=2'],
    [
      '/a?Policy=p&Key-Pair-Id=k&hdnts=h~hmac=1&jwt=j',
      '/a?Policy=[redacted]&Key-Pair-Id=[redacted]&hdnts=[redacted]&jwt=[redacted]',
    ],
    ['/a?token=a\\"b&x=1', '/a?token=[redacted]&x=1'],
    ['http://h:80/a@b', 'http://h:80/a@b'],
  ] as const;
  for (const [url, clean] of cases) assert.equal(redactUrl(url), clean);
  assert.equal(redact('{"code":"EPIPE","key":"main/a"}'), '{"code":"EPIPE","key":"main/a"}');
  assert.equal(redact('sent Bearer abc.def-g to them'), 'sent Bearer [redacted] to them');
});

test('hostile lines take no time', () => {
  const hostile = [
    `"token":"${'\\"'.repeat(100_000)}`,
    'a://'.repeat(50_000),
    'a.'.repeat(100_000),
    `?${'token'.repeat(40_000)}`,
    '?token='.repeat(30_000),
    '"tokentoken'.repeat(20_000),
    '"token":"'.repeat(20_000),
    'Bearer '.repeat(30_000),
    '//'.repeat(100_000),
    ' //a'.repeat(50_000),
    '"token=\\\\'.repeat(30_000),
  ];
  for (const line of hostile) {
    const spent = cpuStopwatch();
    redact(line);
    const took = spent();
    assert.ok(took < 500, `${line.slice(0, 20)}: ${took} ms`);
  }
});
