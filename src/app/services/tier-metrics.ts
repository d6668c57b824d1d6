import { BLOCK_SIZE } from '../../base/block.js';
import type { Metrics } from '../../observe/metrics.js';
import type { DiskService } from './disk-service.js';
import type { MemoryService } from './memory-service.js';

/** What operators watch of the tiers; the names are in observe/metric-table.ts. */
export function describeTiers(metrics: Metrics, { tier }: MemoryService, disk: DiskService): void {
  const memory = () => tier.stats();
  metrics.counter('moovedge_blocks_evicted_total', () => {
    const { evictedToDisk, dropped } = memory();
    return [
      [{ to: 'disk' }, evictedToDisk],
      [{ to: 'dropped' }, dropped],
    ];
  });
  metrics.counter('moovedge_checksum_failures_total', () => [
    [{ tier: 'memory' }, memory().checksumFailures],
    [{ tier: 'disk' }, disk.damagedBlocks],
  ]);
  metrics.counter('moovedge_disk_blocks_total', () => {
    const { writer } = disk;
    return writer === undefined
      ? []
      : (['written', 'renewed', 'expired', 'dropped'] as const).map(event => [{ event }, writer[event]]);
  });
  metrics.counter('moovedge_disk_failed_commits_total', () => disk.writer?.failedCommits ?? 0);
  metrics.gauge('moovedge_cache_bytes', () => [
    [{ tier: 'memory' }, memory().usedBytes],
    ...(disk.writer === undefined ? [] : [[{ tier: 'disk' }, disk.writer.blocks * BLOCK_SIZE] as const]),
  ]);
  metrics.gauge('moovedge_cache_capacity_bytes', () => [
    [{ tier: 'memory' }, memory().capacityBytes],
    ...(disk.writer === undefined ? [] : [[{ tier: 'disk' }, disk.writer.capacityBytes] as const]),
  ]);
  metrics.gauge('moovedge_memory_blocks', () => {
    const { blocks, filling, pinned } = memory();
    return [
      [{ state: 'used' }, blocks],
      [{ state: 'filling' }, filling],
      [{ state: 'pinned' }, pinned],
    ];
  });
  metrics.gauge('moovedge_memory_oldest_block_seconds', () => memory().oldestAge);
  metrics.gauge('moovedge_block_residency_seconds', () => [
    [{ tier: 'memory' }, memory().residency],
    ...(disk.writer?.residency === undefined ? [] : [[{ tier: 'disk' }, disk.writer.residency] as const]),
  ]);
  metrics.gauge('moovedge_parted_block_wait_seconds', () => memory().partedWait);
  metrics.gauge('moovedge_disk_min_uses', () => disk.writer?.minUses ?? 0);
  metrics.gauge('moovedge_disk_budget_bytes', () => disk.writer?.budgetBytes ?? 0);
  metrics.counter('moovedge_memory_lookups_total', () => {
    const { hits, misses } = memory();
    return [
      [{ result: 'hit' }, hits],
      [{ result: 'miss' }, misses],
    ];
  });
}
