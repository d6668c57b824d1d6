// Policies of a memory tier: which block makes room for the one that is read.
#ifndef MOOVEDGE_TEST_MODEL_MEMORY_H_
#define MOOVEDGE_TEST_MODEL_MEMORY_H_

#include <cstdint>
#include <queue>
#include <utility>
#include <vector>

#include "trace.h"

namespace model {

/** A memory tier, without the blocks' bytes. Slots and blocks are numbers; 0 is no slot. */
class Memory {
 public:
  Memory(uint32_t size, uint32_t blocks) : keys_(size + 1, kNone), slots_(blocks, 0) {}
  virtual ~Memory() = default;

  /** Reads a block, if it is there. */
  bool Read(uint32_t block) {
    const uint32_t slot = slots_[block];
    if (slot != 0) Hit(slot);
    return slot != 0;
  }
  /** Whether a block that is in the ring, and was read there, is to come here. */
  virtual bool IsWorthRoom(uint32_t) { return true; }
  /** Takes a block that is not here. @return the one that made room for it, or kNone */
  uint32_t Place(uint32_t block) {
    const uint32_t own = used_ < size() ? ++used_ : Evict();
    const uint32_t gone = keys_[own];
    if (gone != kNone) slots_[gone] = 0;
    keys_[own] = block;
    slots_[block] = own;
    Added(own);
    return gone;
  }

 protected:
  virtual void Hit(uint32_t slot) = 0;
  /** Says whose slot another block gets. */
  virtual uint32_t Evict() = 0;
  /** A slot has got a block. */
  virtual void Added(uint32_t slot) = 0;

  uint32_t size() const { return static_cast<uint32_t>(keys_.size()) - 1; }

  /** Blocks by slots; kNone in those that were never used. */
  std::vector<uint32_t> keys_;

 private:
  /** Slots by blocks. */
  std::vector<uint32_t> slots_;
  uint32_t used_ = 0;
};

/** Slots in a row, in any number of rows of which each slot is in one at most. */
class Rows {
 public:
  Rows(uint32_t size, uint32_t rows) : first_(size + 1), nodes_(size + 1 + rows) {
    for (uint32_t row = 0; row < rows; row++) nodes_[first_ + row] = {first_ + row, first_ + row};
  }
  void PushNewest(uint32_t row, uint32_t slot) {
    const uint32_t end = first_ + row;
    nodes_[slot] = {nodes_[end].older, end};
    nodes_[nodes_[end].older].newer = slot;
    nodes_[end].older = slot;
  }
  void Remove(uint32_t slot) {
    nodes_[nodes_[slot].older].newer = nodes_[slot].newer;
    nodes_[nodes_[slot].newer].older = nodes_[slot].older;
  }
  uint32_t Oldest(uint32_t row) const { return nodes_[first_ + row].newer; }
  uint32_t Newer(uint32_t slot) const { return nodes_[slot].newer; }
  bool IsEnd(uint32_t slot) const { return slot >= first_; }

 private:
  struct Node {
    uint32_t older, newer;
  };
  uint32_t first_;
  std::vector<Node> nodes_;
};

class Lru : public Memory {
 public:
  Lru(uint32_t size, uint32_t blocks) : Memory(size, blocks), rows_(size, 1) {}

 protected:
  void Hit(uint32_t slot) override {
    rows_.Remove(slot);
    rows_.PushNewest(0, slot);
  }
  uint32_t Evict() override {
    const uint32_t slot = rows_.Oldest(0);
    rows_.Remove(slot);
    return slot;
  }
  void Added(uint32_t slot) override { rows_.PushNewest(0, slot); }

 private:
  Rows rows_;
};

/** SIEVE, as Zhang and others give it: a hand that spares what was used since it last came by. */
class Sieve : public Memory {
 public:
  Sieve(uint32_t size, uint32_t blocks) : Memory(size, blocks), rows_(size, 1), wasUsed_(size + 1, 0) {}

 protected:
  void Hit(uint32_t slot) override { wasUsed_[slot] = 1; }
  uint32_t Evict() override {
    uint32_t slot = hand_;
    for (;; slot = rows_.Newer(slot)) {
      if (slot == 0 || rows_.IsEnd(slot)) slot = rows_.Oldest(0);
      if (wasUsed_[slot] == 0) break;
      wasUsed_[slot] = 0;
    }
    hand_ = rows_.IsEnd(rows_.Newer(slot)) ? 0 : rows_.Newer(slot);
    rows_.Remove(slot);
    return slot;
  }
  void Added(uint32_t slot) override {
    wasUsed_[slot] = 0;
    rows_.PushNewest(0, slot);
  }

 private:
  Rows rows_;
  std::vector<uint8_t> wasUsed_;
  uint32_t hand_ = 0;
};

/**
 * S3-FIFO, as Yang and others give it: a small queue of a tenth, a main queue, and names of what left the small one.
 */
class S3Fifo : public Memory {
 public:
  S3Fifo(uint32_t size, uint32_t blocks)
      : Memory(size, blocks),
        rows_(size, 2),
        uses_(size + 1, 0),
        row_(size + 1, 0),
        ghosts_(std::max(1u, size - size / 10), kNone),
        ghostOf_(blocks, 0) {}

 protected:
  void Hit(uint32_t slot) override { uses_[slot] = static_cast<uint8_t>(std::min(3, uses_[slot] + 1)); }
  uint32_t Evict() override { return small_ > size() / 10 ? EvictSmall() : EvictMain(); }
  void Added(uint32_t slot) override {
    const uint32_t block = keys_[slot];
    uses_[slot] = 0;
    const uint32_t ghost = ghostOf_[block];
    const bool isKnown = ghost != 0 && ghosts_[ghost - 1] == block;
    if (isKnown) ghosts_[ghost - 1] = kNone;
    Push(isKnown ? 1 : 0, slot);
  }

 private:
  void Push(uint8_t row, uint32_t slot) {
    row_[slot] = row;
    if (row == 0) small_++;
    rows_.PushNewest(row, slot);
  }
  uint32_t EvictSmall() {
    while (small_ > 0) {
      const uint32_t slot = rows_.Oldest(0);
      rows_.Remove(slot);
      small_--;
      if (uses_[slot] > 0) {
        uses_[slot] = 0;
        Push(1, slot);
        continue;
      }
      ghosts_[next_] = keys_[slot];
      ghostOf_[keys_[slot]] = next_ + 1;
      next_ = next_ + 1 == ghosts_.size() ? 0 : next_ + 1;
      return slot;
    }
    return EvictMain();
  }
  uint32_t EvictMain() {
    for (;;) {
      const uint32_t slot = rows_.Oldest(1);
      if (rows_.IsEnd(slot)) return EvictSmall();
      rows_.Remove(slot);
      if (uses_[slot] == 0) return slot;
      uses_[slot]--;
      rows_.PushNewest(1, slot);
    }
  }

  Rows rows_;
  std::vector<uint8_t> uses_;
  std::vector<uint8_t> row_;
  uint32_t small_ = 0;
  std::vector<uint32_t> ghosts_;
  std::vector<uint32_t> ghostOf_;
  uint32_t next_ = 0;
};

/** For each request, the number of the next one for the same block; kNone where there is none. */
inline std::vector<uint32_t> NextUses(const Trace& trace) {
  std::vector<uint32_t> next(trace.requests.size());
  std::vector<uint32_t> last(trace.blocks(), kNone);
  for (size_t at = trace.requests.size(); at-- > 0;) {
    next[at] = last[trace.requests[at].block()];
    last[trace.requests[at].block()] = static_cast<uint32_t>(at);
  }
  return next;
}

/** Belady, who knows the future: keeps what is used soonest, and nothing that is used later than all that is there. */
class Belady {
 public:
  Belady(uint32_t size, uint32_t blocks, const std::vector<uint32_t>& next)
      : size_(size), next_(next), nextOf_(blocks, 0) {}

  bool Read(const Trace& trace, size_t at) {
    const uint32_t block = trace.requests[at].block();
    const uint32_t next = next_[at];
    const bool isThere = nextOf_[block] != 0;
    if (isThere && next == kNone) {
      used_--;
      nextOf_[block] = 0;
    } else if (isThere || (next != kNone && MakeRoom(next))) {
      if (!isThere) used_++;
      nextOf_[block] = next;
      latest_.push({next, block});
    }
    return isThere;
  }

 private:
  /** False when all that is there is used sooner than `next`. */
  bool MakeRoom(uint32_t next) {
    if (used_ < size_) return true;
    while (nextOf_[latest_.top().second] != latest_.top().first) latest_.pop();
    if (latest_.top().first <= next) return false;
    nextOf_[latest_.top().second] = 0;
    latest_.pop();
    used_--;
    return true;
  }

  uint32_t size_;
  const std::vector<uint32_t>& next_;
  /** Number of the next request of a block that is there, else 0. */
  std::vector<uint32_t> nextOf_;
  std::priority_queue<std::pair<uint32_t, uint32_t>> latest_;
  uint32_t used_ = 0;
};

}  // namespace model

#endif  // MOOVEDGE_TEST_MODEL_MEMORY_H_
