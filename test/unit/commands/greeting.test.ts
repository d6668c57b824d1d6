import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playerAddress } from '../../../src/app/services/player-address.js';
import { greeting } from '../../../src/commands/greeting.js';
import { type Config, defaultConfig } from '../../../src/config/schema.js';

function linesOf(listener: Partial<Config['listen'][number]>): string[] {
  const config = defaultConfig();
  return greeting({ ...config, listen: [{ ...config.listen[0]!, ...listener }] })
    .trimEnd()
    .split('\n');
}

test('the URLs to try have the name, the port and the scheme of the edge', () => {
  const plain = linesOf({ host: '0.0.0.0', port: 8080 });
  assert.ok(plain.includes('  http://localhost:8080/PATH/OF/A/FILM.mp4'), plain.join('\n'));
  const secure = linesOf({ host: '2001:db8::1', port: 443, tls: [{ certificate: '/c.pem', key: '/k.pem' }] });
  assert.ok(secure.includes('  https://[2001:db8::1]:443/PATH/OF/A/FILM.mp4'), secure.join('\n'));
  assert.match(secure.at(-1)!, /^Dashboard: +http:\/\/localhost:8081\/$/);
});

test('the URLs to try are not those of a port that only sends players to another', () => {
  const config = defaultConfig();
  const [first] = config.listen;
  const secure = { ...first!, port: 8443, tls: [{ certificate: '/c.pem', key: '/k.pem' }] };
  const listen = [{ ...first!, port: 8080, redirect: 8443 }, secure];
  assert.match(greeting({ ...config, listen }), /^ {2}https:\/\/localhost:8443\/PATH/m);
  assert.deepEqual(playerAddress({ ...config, listen }), { scheme: 'https', host: first!.host, port: 8443 });
});

test('who has an RTMP port is told how to publish and where to watch', () => {
  const config = defaultConfig();
  const rtmp = { host: '0.0.0.0', port: 1935, tls: {}, maxPublishers: 1 };
  const shown = (live: Partial<Config['live']>) => greeting({ ...config, live: { ...config.live, ...live } });
  assert.doesNotMatch(shown({}), /ffmpeg/);
  const open = shown({ rtmp });
  assert.match(open, /^ {2}ffmpeg -re .* -f flv "rtmp:\/\/localhost:1935\/demo\/test"$/m);
  assert.match(open, /^ {2}http:\/\/localhost:8080\/live\/demo\/test\.flv {3}in ffplay/m);
  assert.match(open, /player\?u=%2Flive%2Fdemo%2Ftest\.flv/);
  const tls = { certificate: '/c.pem', key: '/k.pem' };
  const keyed = shown({ rtmp: { ...rtmp, tls }, publish: { ...config.live.publish, keys: { 'a/b': 'secret' } } });
  assert.match(keyed, /"rtmps:\/\/localhost:1935\/a\/b\?key=KEY"/);
  assert.doesNotMatch(keyed, /secret/);
});
