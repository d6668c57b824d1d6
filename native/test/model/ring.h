// A disk tier: a ring of blocks, and what is admitted to it.
#ifndef MOOVEDGE_TEST_MODEL_RING_H_
#define MOOVEDGE_TEST_MODEL_RING_H_

#include <algorithm>
#include <cmath>
#include <vector>

#include "../../shm_history.h"
#include "demand_memory.h"

namespace model {

/** The blocks on disk, in the order in which they were written. */
class Ring {
 public:
  Ring(uint32_t size, uint32_t blocks) : slots_(size, kNone), places_(blocks, kNone) {}
  bool Has(uint32_t block) const { return places_[block] != kNone; }
  bool IsFull() const { return slots_[next_] != kNone; }
  uint32_t size() const { return static_cast<uint32_t>(slots_.size()); }
  /** The block that goes next. */
  uint32_t Oldest() const { return slots_[next_]; }
  void Write(uint32_t block) {
    if (IsFull()) places_[Oldest()] = kNone;
    slots_[next_] = block;
    places_[block] = next_;
    next_ = next_ + 1 == slots_.size() ? 0 : next_ + 1;
  }

 private:
  std::vector<uint32_t> slots_;
  std::vector<uint32_t> places_;
  uint32_t next_ = 0;
};

/** Decides which of the blocks that leave memory are written. */
class Admission {
 public:
  virtual ~Admission() = default;
  /** A block has come to memory, or was read there. */
  virtual void Came(uint32_t, bool /*wasThere*/) {}
  /** A block has left memory. @return writes that this brought */
  virtual uint32_t Left(uint32_t block, Ring& ring) = 0;
};

/** All of them. */
class AdmitAll : public Admission {
 public:
  uint32_t Left(uint32_t block, Ring& ring) override {
    ring.Write(block);
    return 1;
  }
};

/** Those that were viewed so often, by the product's own memory of the views of blocks that have gone. */
class AdmitByViews : public Admission {
 public:
  AdmitByViews(uint32_t slots, uint32_t blocks, uint32_t least) : least_(least), views_(blocks, 0) {
    shm::Geometry geometry;
    shm::MakeGeometry(uint64_t{slots} * shm::kBlockSize, &geometry);
    geometry.history = 0;
    sets_ = std::vector<shm::HistorySet>(geometry.historyCount);
    history_ = std::make_unique<shm::History>(reinterpret_cast<uint8_t*>(sets_.data()), geometry);
  }
  void Came(uint32_t block, bool wasThere) override {
    if (!wasThere) views_[block] = static_cast<uint16_t>(history_->Take(HashOf(block)));
    views_[block] = static_cast<uint16_t>(std::min(1000, views_[block] + 1));
  }
  uint32_t Left(uint32_t block, Ring& ring) override {
    history_->Note(HashOf(block), views_[block]);
    if (views_[block] < least_) return 0;
    ring.Write(block);
    return 1;
  }

 private:
  static uint64_t HashOf(uint32_t block) { return shm::HashKey(KeyOf(block), 1); }

  uint32_t least_;
  std::vector<uint16_t> views_;
  std::vector<shm::HistorySet> sets_;
  std::unique_ptr<shm::History> history_;
};

/** Those that may expect so many uses on disk, by the product's table and as src/cache/disk/disk-admission.ts asks. */
class AdmitByDemand : public Admission {
 public:
  AdmitByDemand(DemandTable& table, double minUses) : table_(table), minUses_(static_cast<float>(minUses)) {}
  uint32_t Left(uint32_t block, Ring& ring) override {
    if (!ring.IsFull()) return Write(block, ring);
    if (!IsWorthIt(block, ring)) return 0;
    // Of what leaves, as many go round again as there are new ones.
    uint32_t writes = 0;
    if (IsWorthIt(ring.Oldest(), ring)) writes += Write(ring.Oldest(), ring);
    return writes + Write(block, ring);
  }

 private:
  static constexpr double kMeanLife = 1800 / 0.6931471805599453;

  bool IsWorthIt(uint32_t block, const Ring& ring) {
    const double known = kMeanLife * (1 - std::exp(-(table_.now - 1000) / kMeanLife));
    const double rate = lately_ * std::exp((writtenAt_ - table_.now) / kMeanLife) / std::max(60.0, known);
    const auto seconds = static_cast<float>(std::clamp(ring.size() / std::max(1e-9, rate), 1.0, 7 * 86400.0));
    return table_.demand.Estimate(KeyOf(block), seconds, table_.demand.At(table_.now)).Uses(seconds) >= minUses_;
  }
  uint32_t Write(uint32_t block, Ring& ring) {
    lately_ = lately_ * std::exp((writtenAt_ - table_.now) / kMeanLife) + 1;
    writtenAt_ = table_.now;
    ring.Write(block);
    return 1;
  }

  DemandTable& table_;
  float minUses_;
  double lately_ = 0;
  double writtenAt_ = 1000;
};

}  // namespace model

#endif  // MOOVEDGE_TEST_MODEL_RING_H_
