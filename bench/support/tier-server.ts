/**
 * bare-uws.ts with a memory tier in the place of the buffer: what a request costs beyond that is what the tier costs.
 *
 *   node --import tsx bench/support/tier-server.ts slab|FILE BLOCKS PORT      FILE is that of a shared tier
 */
import { BLOCK_SIZE } from '../../src/base/block.js';
import { ABSENT, type MemoryTier } from '../../src/cache/memory/memory-tier.js';
import { SharedMemoryTier } from '../../src/cache/memory/shared-memory-tier.js';
import { App, type HttpResponse } from '../../src/http/uws.js';
import { DEFAULTS } from '../../test/support/defaults.js';
import { SlabTier } from '../../test/support/slab-tier.js';
import { BENCH_ID, fillBlocks } from './cache-file.js';

const [kind, blocks, port] = process.argv.slice(2);
const count = Number(blocks);
const RANGE = /^bytes=(\d+)-(\d+)$/;

/** Answers ranges of the tier's blocks until told to stop. */
function serve(tier: MemoryTier): Promise<void> {
  fillBlocks(tier, count, BLOCK_SIZE);
  const size = count * BLOCK_SIZE;
  /** Sends from where the answer has come to, block by block; false when the socket is full. */
  const send = (res: HttpResponse, offset: number, start: number, end: number): boolean => {
    for (let at = start + offset; at < end; ) {
      const block = Math.floor(at / BLOCK_SIZE);
      const from = at - block * BLOCK_SIZE;
      if (tier.acquire(BENCH_ID, block) === ABSENT) throw new Error('a block is gone');
      const to = Math.min(BLOCK_SIZE, end - block * BLOCK_SIZE);
      const [sent, done] = res.tryEnd(tier.view(from, to), end - start);
      tier.release();
      if (done) return true;
      if (!sent) return false;
      at = block * BLOCK_SIZE + to;
    }
    return true;
  };
  const app = App();
  app.any('/*', (res, req) => {
    const range = RANGE.exec(req.getHeader('range'));
    const start = range === null ? 0 : Number(range[1]);
    const end = range === null ? size : Math.min(size, Number(range[2]) + 1);
    res.writeStatus(range === null ? '200 OK' : '206 Partial Content');
    res.writeHeader('Content-Type', 'video/mp4');
    res.writeHeader('ETag', '"bare"');
    res.writeHeader('Accept-Ranges', 'bytes');
    if (range !== null) res.writeHeader('Content-Range', `bytes ${start}-${end - 1}/${size}`);
    if (send(res, 0, start, end)) return;
    res.onAborted(() => {});
    res.onWritable(offset => send(res, offset, start, end));
  });
  app.listen('127.0.0.1', Number(port), listener => {
    if (!listener) throw new Error(`port ${port} is taken`);
  });
  return new Promise(resolve => {
    process.once('SIGTERM', () => {
      app.close();
      tier.close();
      resolve();
    });
  });
}

const tier =
  kind === 'slab'
    ? new SlabTier({ blocks: count * 2 })
    : new SharedMemoryTier({ ...DEFAULTS.memoryTier, file: kind!, role: 'supervisor', size: count * 2 * BLOCK_SIZE });
await serve(tier);
