import type { ObjectId } from '../base/block.js';
import { Demotion } from '../cache/disk/demotion.js';
import { DiskAdmission } from '../cache/disk/disk-admission.js';
import { diskFile } from '../cache/disk/disk-store.js';
import { type BlockName, DiskWriter } from '../cache/disk/disk-writer.js';
import { SharedMemoryTier } from '../cache/memory/shared-memory-tier.js';
import { FaultLatch } from '../store/fault-latch.js';
import { ignoreStopSignals, parentLog, tellParent } from '../supervisor/parent.js';
import type { WriterOrder, WriterReport, WriterTask } from './services/disk-writer-process.js';

/* The process that writes the disk tier: see disk-writer-process.ts. It ends when its parent does. */

const OPEN_RETRY = 1_000;
const REPORT_INTERVAL = 1_000;
const READER_CHECK_INTERVAL = 30_000;

const task = JSON.parse(process.argv[2]!) as WriterTask;

const report: (message: WriterReport) => void = message => tellParent(message);
const log = parentLog();
const opening = new FaultLatch(
  log,
  { path: diskFile(task.folder) },
  'the disk tier can not be opened; the edge goes on without it and tries again',
  'the disk tier can be opened again',
);
// It fills no blocks, and verifies each that it copies.
const { memoryFile: file, memoryDescriptor: descriptor } = task;
const memory = new SharedMemoryTier({ file, descriptor, role: 'worker', fillShare: 0, verify: 'unclean' });
memory.evictBy(task.policy);
const damaged: BlockName[] = [];
let writer: DiskWriter | undefined;
let demotion: Demotion | undefined;
let admission: DiskAdmission | undefined;

async function open(): Promise<void> {
  try {
    const { folder, capacity, freeShare } = task;
    const opened = new DiskWriter({
      folder,
      capacity,
      log,
      expired: (id, block) => memory.markOnDisk(id, block, false),
      ...(task.admit === 'demand' && { renews: isWorthRenewing }),
    });
    report({ kind: 'ready' });
    await opened.shrink();
    opening.clear();
    writer = opened;
    const { stats } = opened;
    const deciding = new DiskAdmission(task, {
      get blocks() {
        return stats.blocks;
      },
      get written() {
        return stats.written;
      },
      get isFull() {
        return opened.isFull;
      },
    });
    admission = deciding;
    // By demand, what memory evicts is chosen as late as can be.
    const look = task.policy === 'demand' ? { lookShare: freeShare } : {};
    demotion = new Demotion({ memory, writer, admission: () => deciding.admission, freeShare, ...look });
    demotion.start();
  } catch (error) {
    opening.raise(error);
    report({ kind: 'ready' });
    setTimeout(open, OPEN_RETRY);
  }
}

function isWorthRenewing(id: ObjectId, block: number): boolean {
  const renewal = admission?.renewal;
  return renewal !== undefined && memory.expectedUses(id, block, renewal.seconds) >= renewal.minUses;
}

function tick(): void {
  if (writer === undefined) memory.evictAhead(task.freeShare);
  else report({ kind: 'stats', stats: { ...writer.stats, ...admission?.stats } });
  if (writer?.broken) {
    if (writer.damaged) report({ kind: 'damaged' });
    process.exitCode = 1;
    process.disconnect();
  }
}

/** Removes what has come in since, so that many damaged blocks cost one commit. */
function removeDamaged(): void {
  const blocks = damaged.splice(0);
  writer?.remove(blocks);
  for (const { id, block } of blocks) memory.markOnDisk(id, block, false);
}

process.on('message', message => {
  const order = message as WriterOrder;
  if (order.kind === 'check-readers') writer?.checkReaders();
  else if (damaged.push({ id: Uint32Array.from(order.id) as ObjectId, block: order.block }) === 1) {
    setImmediate(removeDamaged);
  }
});

async function end(): Promise<void> {
  demotion?.stop();
  await writer?.close();
  memory.close();
  process.exit();
}

process.once('disconnect', end);
ignoreStopSignals();
setInterval(tick, REPORT_INTERVAL);
setInterval(() => writer?.checkReaders(), READER_CHECK_INTERVAL);
// A supervisor that died before there was anybody to listen has left no event behind.
if (process.connected) await open();
else await end();
