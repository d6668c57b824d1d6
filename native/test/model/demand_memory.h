// A memory tier that decides by the product's own table of demand: what goes as native/shm_housekeeping.cc does, what
// comes from the ring as native/shm_cache.cc does.
#ifndef MOOVEDGE_TEST_MODEL_DEMAND_MEMORY_H_
#define MOOVEDGE_TEST_MODEL_DEMAND_MEMORY_H_

#include <algorithm>
#include <cmath>
#include <vector>

#include "../../shm_demand.h"
#include "../../shm_recent.h"
#include "memory.h"

namespace model {

inline shm::Key KeyOf(uint32_t block) {
  const uint32_t film = block / kFilmBlocks + 1;
  return {{film * 2654435761u, film ^ 0x5bd1e995u, film * 40503u, film}, block % kFilmBlocks};
}

/** The table of demand of a cache file of so many slots, outside of any file. */
class DemandTable {
 public:
  explicit DemandTable(uint32_t slots) {
    shm::MakeGeometry(uint64_t{slots} * shm::kBlockSize, &geometry);
    shm::Geometry alone = geometry;
    alone.demand = 0;
    lines_.resize((shm::kDemandHeaderBytes + alone.objectCount * sizeof(shm::ObjectDemand)) / sizeof(Line));
    demand = shm::Demand(reinterpret_cast<uint8_t*>(lines_.data()), alone);
  }
  shm::Geometry geometry;
  shm::Demand demand;

  /** What the viewers of a trace do at request `at`. */
  void Note(const Trace& trace, size_t at) {
    now = trace.TimeOf(at);
    if (at >= trace.viewers) {
      const Request before = trace.requests[at - trace.viewers];
      if (before.isLast()) demand.Leave(KeyOf(before.block()));
    }
    const shm::Key key = KeyOf(trace.requests[at].block());
    demand.See(key, now);
    demand.Finish(key);
  }
  double now = 0;

 private:
  struct alignas(64) Line {
    uint8_t bytes[64] = {};
  };
  std::vector<Line> lines_;
};

class DemandMemory : public Memory {
 public:
  /** @param table which somebody tells of all requests before they are read here */
  DemandMemory(uint32_t size, uint32_t blocks, DemandTable& table)
      : Memory(size, blocks), table_(table), recent_(table.geometry.stripeCount), isCondemned_(size + 1, 0) {}

  bool IsWorthRoom(uint32_t block) override {
    shm::Rivals rivals;
    for (uint32_t look = 0; look < shm::Rivals::kDrawn; look++) {
      const uint32_t slot = 1 + random_.Below(size());
      if (keys_[slot] == kNone) {
        rivals.free++;
      } else {
        rivals.blocks[rivals.count++] = {KeyOf(keys_[slot]), slot, 0};
      }
    }
    return table_.demand.IsWorthRoom(KeyOf(block), &rivals, table_.demand.At(table_.now));
  }

 protected:
  void Hit(uint32_t slot) override { isCondemned_[slot] = 0; }
  uint32_t Evict() override {
    for (;;) {
      while (!condemned_.empty()) {
        const uint32_t slot = condemned_.back();
        condemned_.pop_back();
        if (isCondemned_[slot] == 0) continue;
        table_.demand.Evicted(1, table_.now);
        return slot;
      }
      Condemn();
    }
  }
  virtual void Judge(shm::Candidate* candidates, uint32_t count) {
    table_.demand.Judge(candidates, count, table_.demand.At(table_.now));
  }
  void Added(uint32_t slot) override {
    isCondemned_[slot] = 0;
    recent_[slot % recent_.size()].Add({KeyOf(keys_[slot]), slot, table_.now});
  }

 private:
  void Condemn() {
    shm::Candidate candidates[(shm::kRecentCandidates + shm::kCandidates) * shm::kVictims];
    uint32_t found = 0;
    shm::Recent& recent = recent_[turn_++ % recent_.size()];
    for (shm::Recent::Block block; found < shm::kRecentCandidates * shm::kVictims && recent.Take(table_.now, &block);) {
      if (KeyOf(keys_[block.slot]) == block.key) candidates[found++] = {block.key, block.slot, 0};
    }
    for (uint32_t look = 0; look < shm::kCandidates * shm::kVictims; look++) {
      const uint32_t slot = 1 + random_.Below(size());
      candidates[found++] = {KeyOf(keys_[slot]), slot, 0};
    }
    Judge(candidates, found);
    std::partial_sort(candidates, candidates + shm::kVictims, candidates + found,
                      [](const shm::Candidate& a, const shm::Candidate& b) { return a.worth < b.worth; });
    for (uint32_t i = shm::kVictims; i-- > 0;) {
      if (isCondemned_[candidates[i].slot] != 0) continue;
      isCondemned_[candidates[i].slot] = 1;
      condemned_.push_back(candidates[i].slot);
    }
  }

  DemandTable& table_;
  std::vector<shm::Recent> recent_;
  uint32_t turn_ = 0;
  std::vector<uint8_t> isCondemned_;
  std::vector<uint32_t> condemned_;
  Random random_;
};

}  // namespace model

#endif  // MOOVEDGE_TEST_MODEL_DEMAND_MEMORY_H_
