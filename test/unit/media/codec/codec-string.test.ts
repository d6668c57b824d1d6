import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { codecString } from '../../../../src/media/codec/codec-string.js';

function named(type: string, name: string, config: Uint8Array): string {
  return codecString({ type, boxes: new Map([[name, config]]) });
}

const bytes = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('the name of a codec', () => {
  it('follows the configuration, as in the examples of the standards', () => {
    assert.equal(named('avc1', 'avcC', bytes('01 42e01e ff')), 'avc1.42e01e');
    assert.equal(named('hvc1', 'hvcC', bytes('01 01 60000000 b00000000000 5d')), 'hvc1.1.6.L93.b0');
    assert.equal(named('hev1', 'hvcC', bytes('01 a4 08000000 9dffff000000 7b')), 'hev1.B4.10.H123.9d.ff.ff');
    assert.equal(named('av01', 'av1C', bytes('81 04 4c')), 'av01.0.04M.10');
    assert.equal(named('av01', 'av1C', bytes('81 4d e0')), 'av01.2.13H.12');
    assert.equal(named('vp09', 'vpcC', bytes('01000000 02 0a a2 01 01 01')), 'vp09.02.10.10');
  });

  it('has the object type of MPEG-4 sound', () => {
    const decoder = (type: string, specific: string) => {
      const inner = Buffer.concat([bytes(`${type} 15 000000 00000000 00000000`), bytes(specific)]);
      return Buffer.concat([Buffer.from([4, inner.length]), inner]);
    };
    const stream = (flags: string, more: string, inside: Buffer) => {
      const inner = Buffer.concat([bytes(`0001 ${flags} ${more}`), inside]);
      return Buffer.concat([bytes('00000000 03 8080 80'), Buffer.from([inner.length]), inner]);
    };
    assert.equal(named('mp4a', 'esds', stream('00', '', decoder('40', '05 02 1210'))), 'mp4a.40.2');
    assert.equal(named('mp4a', 'esds', stream('00', '', decoder('40', '05 02 f880'))), 'mp4a.40.36');
    assert.equal(named('mp4a', 'esds', stream('e0', '0007 03 616263 0009', decoder('40', '05 02 2a10'))), 'mp4a.40.5');
    assert.equal(named('mp4a', 'esds', stream('00', '', decoder('6b', ''))), 'mp4a.6B');
    assert.equal(named('mp4v', 'esds', stream('00', '', decoder('20', '05 05 000001b003'))), 'mp4v.20.3');
    assert.equal(named('mp4v', 'esds', stream('00', '', decoder('20', '05 03 000001'))), 'mp4v.20');
  });

  it('is the type alone where nothing can be told, whatever the bytes are', () => {
    assert.equal(named('Opus', 'dOps', bytes('00')), 'Opus');
    const names = ['avcC', 'hvcC', 'av1C', 'vpcC', 'esds'];
    for (const name of names) assert.equal(named('xxxx', name, new Uint8Array(2)), 'xxxx', name);
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 40 }), (name, config) => {
        assert.match(named('xxxx', name, config), /^xxxx(\.[0-9A-Za-z]+)*$/);
      }),
    );
  });
});
