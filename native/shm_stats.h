// What a cache file holds, from the inside of a process that has it open or from the outside.
#ifndef MOOVEDGE_SHM_STATS_H_
#define MOOVEDGE_SHM_STATS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "shm_demand.h"
#include "shm_layout.h"
#include "shm_system.h"

namespace shm {

/** Blocks are counted in slots. */
struct CacheStats {
  uint32_t capacity = 0;
  /** Slots that hold bytes, those being filled included. */
  uint32_t used = 0;
  uint32_t filling = 0;
  uint32_t pinned = 0;
  /** Attached and alive. */
  uint32_t processes = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t evictedToDisk = 0;
  uint64_t dropped = 0;
  uint64_t checksumFailures = 0;
  uint64_t repairs = 0;
  /**
   * When the block was last used that has been unused for longest, in microseconds since 1970; 0 when there is none.
   */
  uint64_t oldestUse = 0;
  /** Seconds that a block stays at the pace of the last minutes at which blocks are evicted. */
  float residency = 0;
  /** Seconds until the next use that is expected of blocks that go by demand; 0 while none has. */
  float partedWait = 0;
  /** Objects of which the table of demand knows something. */
  uint64_t knownObjects = 0;

  void Add(const StripeHeader& stripe);
};

struct ProcessInfo {
  uint32_t pid;
  uint32_t role;
  /** Milliseconds since 1970. */
  uint64_t since;
};

/** What `Inspect` finds. */
struct Inspection {
  CacheStats stats;
  uint64_t fileSize = 0;
  uint64_t createdAt = 0;
  /** When a first process attached last, in milliseconds since 1970. */
  uint64_t openedAt = 0;
  bool clean = false;
  /** Whole blocks, blocks with a part of their bytes, and used slots whose header is damaged. */
  uint32_t whole = 0;
  uint32_t partial = 0;
  uint32_t damaged = 0;
  /** Blocks that the disk tier holds too. */
  uint32_t onDisk = 0;
  /** Bytes of all blocks. */
  uint64_t bytes = 0;
  /** Different objects. */
  uint32_t objects = 0;
  /** Blocks that somebody is on the way to, others that are likely to be used before they go, and the rest. */
  uint32_t awaited = 0;
  uint32_t wanted = 0;
  uint32_t unwanted = 0;
  std::vector<ProcessInfo> attached;
};

/**
 * Looks into a cache file by reading it; takes no locks, changes nothing, and works whether an edge runs on it or not.
 */
Status Inspect(const std::string& path, Inspection* inspection);

/** What a cache file says of a block, whether it holds it or not. */
struct BlockFound {
  /** Bytes that are there: 0 when it is not. */
  uint32_t readable = 0;
  uint32_t views = 0;
  bool isOnDisk = false;
  /** Whether it has been chosen to go. */
  bool isCondemned = false;
  /** In microseconds since 1970; 0 when it is not there. */
  uint64_t lastUse = 0;
  /** What it may expect while a block stays in memory. */
  Expected expected = {};
};

/** Most blocks that `InspectObject` tells of. */
constexpr uint32_t kMostInspected = 1 << 20;

/**
 * Looks for the blocks of an object version, as `Inspect` does: the first `count`, and up to the last that is there.
 */
Status InspectObject(const std::string& path, const Key& object, uint32_t count, std::vector<BlockFound>* blocks);

}  // namespace shm

#endif  // MOOVEDGE_SHM_STATS_H_
