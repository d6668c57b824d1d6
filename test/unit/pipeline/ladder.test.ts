import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ladder } from '../../../src/pipeline/transcode/ladder.js';

const QUALITIES = [1080, 720, 480, 360];

describe('the ladder of qualities', () => {
  it('has what fits, by the short side', () => {
    const sizes = (width: number, height: number) =>
      ladder(width, height, QUALITIES).map(each => `${each.width}x${each.height}`);
    assert.deepEqual(sizes(1920, 1080), ['1920x1080', '1280x720', '854x480', '640x360']);
    assert.deepEqual(sizes(1080, 1920), ['1080x1920', '720x1280', '480x854', '360x640']);
    assert.deepEqual(sizes(3840, 1600), ['2592x1080', '1728x720', '1152x480', '864x360']);
    assert.deepEqual(sizes(640, 480), ['640x480', '480x360']);
    assert.deepEqual(sizes(321, 241), ['320x240']);
  });

  it('has even sides, the shape of the source, and less bits for less pixels', () => {
    const side = fc.integer({ min: 16, max: 8192 });
    fc.assert(
      fc.property(side, side, (width, height) => {
        const renditions = ladder(width, height, QUALITIES);
        assert.ok(renditions.length > 0);
        for (const [index, each] of renditions.entries()) {
          assert.ok(each.width % 2 === 0 && each.height % 2 === 0);
          assert.ok(each.width <= width + 1 && each.height <= height + 1);
          const short = Math.min(each.width, each.height);
          assert.ok(Math.abs(each.width / each.height / (width / height) - 1) <= 2 / short);
          if (index > 0) assert.ok(each.bitRate < renditions[index - 1]!.bitRate);
        }
      }),
    );
  });
});
