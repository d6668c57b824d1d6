// Runs a trace through a memory tier and a ring, by one policy.
#ifndef MOOVEDGE_TEST_MODEL_RUN_H_
#define MOOVEDGE_TEST_MODEL_RUN_H_

#include <memory>
#include <string>
#include <vector>

#include "demand_memory.h"
#include "known_memory.h"
#include "memory.h"
#include "ring.h"
#include "trace.h"

namespace model {

/** Shares of the requests of a trace's second half that were found in memory and in the ring; writes for a request. */
struct Found {
  double memory = 0;
  double ring = 0;
  double writes = 0;
};

/** Sizes of the tiers, in blocks. */
struct Sizes {
  uint32_t memory;
  uint32_t ring;
};

/** Belady has one tier as large as both. @param next as of `NextUses` */
inline Found RunBelady(const Trace& trace, const std::vector<uint32_t>& next, const Sizes& sizes) {
  const size_t half = trace.requests.size() / 2;
  uint64_t found = 0;
  Belady belady(sizes.memory + sizes.ring, trace.blocks(), next);
  for (size_t at = 0; at < trace.requests.size(); at++) {
    if (belady.Read(trace, at) && at >= half) found++;
  }
  return {static_cast<double>(found) / static_cast<double>(trace.requests.size() - half), 0, 0};
}

/**
 * @param policy `lru`, `s3-fifo` and `sieve`, with a ring for what was viewed twice; `lru-all` with one for everything;
 *   `demand` by demand in both, and `lru-demand` only in the ring; `known` without a ring, see KnownMemory
 * @param minUses that a block must expect to go to the ring by demand
 */
inline Found Run(const Trace& trace, const Sizes& sizes, const std::string& policy, double minUses) {
  const uint32_t blocks = trace.blocks();
  std::unique_ptr<DemandTable> table;
  std::unique_ptr<Memory> memory;
  std::unique_ptr<Admission> admission;
  KnownMemory* known = nullptr;
  if (policy == "demand" || policy == "lru-demand" || policy == "known")
    table = std::make_unique<DemandTable>(sizes.memory);
  if (policy == "demand") memory = std::make_unique<DemandMemory>(sizes.memory, blocks, *table);
  if (policy == "known") {
    auto knowing = std::make_unique<KnownMemory>(sizes.memory, trace, *table);
    known = knowing.get();
    memory = std::move(knowing);
  }
  if (policy == "s3-fifo") memory = std::make_unique<S3Fifo>(sizes.memory, blocks);
  if (policy == "sieve") memory = std::make_unique<Sieve>(sizes.memory, blocks);
  if (memory == nullptr) memory = std::make_unique<Lru>(sizes.memory, blocks);
  Ring ring(sizes.ring, sizes.ring > 0 ? blocks : 0);
  if (sizes.ring > 0) {
    if (policy == "lru-all") admission = std::make_unique<AdmitAll>();
    if (table != nullptr) admission = std::make_unique<AdmitByDemand>(*table, minUses);
    if (admission == nullptr) admission = std::make_unique<AdmitByViews>(sizes.memory, blocks, 2);
  }
  const size_t half = trace.requests.size() / 2;
  Found found;
  for (size_t at = 0; at < trace.requests.size(); at++) {
    const double one = at >= half ? 1.0 / static_cast<double>(trace.requests.size() - half) : 0;
    const uint32_t block = trace.requests[at].block();
    if (table != nullptr) table->Note(trace, at);
    if (known != nullptr) known->Note(trace, at);
    const bool wasThere = memory->Read(block);
    if (wasThere) found.memory += one;
    const bool isInRing = !wasThere && admission != nullptr && ring.Has(block);
    if (isInRing) found.ring += one;
    const bool stays = wasThere || !isInRing || memory->IsWorthRoom(block);
    if (admission != nullptr && stays) admission->Came(block, wasThere);
    const uint32_t gone = wasThere || !stays ? kNone : memory->Place(block);
    if (gone != kNone && admission != nullptr && !ring.Has(gone)) found.writes += one * admission->Left(gone, ring);
  }
  return found;
}

}  // namespace model

#endif  // MOOVEDGE_TEST_MODEL_RUN_H_
