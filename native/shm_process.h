// The table of attached processes: who lives, what each has pinned, and how each is told of changes.
#ifndef MOOVEDGE_SHM_PROCESS_H_
#define MOOVEDGE_SHM_PROCESS_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "shm_layout.h"

namespace shm {

/**
 * One attachment of a process: its entry in the table, and how many attachments that entry has had, of which only the
 * low bits are kept.
 */
struct ProcessId {
  uint32_t index;
  uint32_t incarnation;

  static constexpr uint32_t kIndexBits = 10;
  static constexpr uint32_t kIndexMask = (1 << kIndexBits) - 1;
  /** So many that the top bit of a packed id is never set. */
  static constexpr uint32_t kIncarnationMask = 0x7fffffff >> kIndexBits;

  /** In one word, never 0. */
  uint32_t Pack() const { return incarnation << kIndexBits | (index + 1); }
  static ProcessId Unpack(uint32_t packed) { return {(packed & kIndexMask) - 1, packed >> kIndexBits}; }
};
static_assert(kProcesses < ProcessId::kIndexMask, "an index fits");

/** Whether a process has any block pinned. */
inline bool HasPins(const ProcessEntry& entry) {
  for (const auto& hazard : entry.hazards) {
    if (hazard.load(std::memory_order_relaxed) != 0) return true;
  }
  return false;
}

class ProcessTable {
 public:
  /** @param fd file whose byte locks say who lives; each attachment needs an open file of its own */
  ProcessTable(FileHeader* header, ProcessEntry* entries, int fd)
      : limit_(header->processLimit), entries_(entries), fd_(fd) {}

  /**
   * Takes a free entry. Call with the start lock held.
   * @param diedBefore set when the entry's former holder died without detaching
   * @return false when all entries are taken
   */
  bool Attach(uint32_t pid, uint32_t role, bool* diedBefore);
  /** Writes this process's identity again if it was damaged: others would take a living process for dead. */
  void Reassert();
  /** Gives the entry back; the byte's lock is released when the file is closed. */
  void Detach();
  /** Empties all other entries. Call when no other process is attached, with the start lock held. */
  void ForgetOthers();
  ProcessId self() const { return self_; }
  /** This process's bit in `SlotFollow::waiters`. */
  uint64_t selfBit() const { return uint64_t{1} << self_.index % 64; }

  /** False when the process has died or left. */
  bool IsAlive(ProcessId id) const;
  /** True when any process but this one is attached. */
  bool HasOthers() const;
  /** The entries of processes that died without detaching, for `Free`. */
  struct Dead {
    uint32_t index;
    uint64_t identity;
  };
  std::vector<Dead> FindDead() const;
  /**
   * Frees a dead process's entry, when all that it held is free; false when somebody else has done so or taken the
   * entry.
   */
  bool Free(const Dead& dead);
  /** Number of living processes, this one included. */
  uint32_t CountAlive() const;
  const ProcessEntry& entry(uint32_t index) const { return entries_[index]; }

  /**
   * Pins slot `slot` for this process, as its pin number `pin`: below kPins, and free. Call with the slot's stripe lock
   * held. Those who pin one block at a time use number 0.
   */
  void Pin(uint32_t slot, uint32_t pin) {
    Reach();
    // Relaxed: whoever wants the slot looks under the same stripe lock, which orders this store before that look.
    entries_[self_.index].hazards[pin].store(slot + 1, std::memory_order_relaxed);
  }
  /** Release: all reads of the block come before another process sees the pin gone and writes over it. */
  void Unpin(uint32_t pin) { entries_[self_.index].hazards[pin].store(0, std::memory_order_release); }
  /** Whether pin number 0 is taken, which comes first and goes last. */
  bool hasPin() const { return entries_[self_.index].hazards[0].load(std::memory_order_relaxed) != 0; }
  /** The word of pin number 0. */
  std::atomic<uint32_t>* hazard() const { return &entries_[self_.index].hazards[0]; }
  /** True when a living process has the slot pinned. Call with the slot's stripe lock held, before reusing it. */
  bool IsPinned(uint32_t slot) const;
  /** Number of living processes that have a block pinned. */
  uint32_t CountPinned() const;

  /**
   * Tells the processes of `waiters`, as in SlotFollow, but not this one, that a block of mail class `mailClass` has
   * changed.
   */
  void Ring(uint64_t waiters, uint32_t mailClass) const;
  /** Moves this process's mail into `classes` (a bit per class); false when there was none. */
  bool FetchMail(uint64_t classes[kMailClasses / 64]);
  std::atomic<uint32_t>* doorbell() const { return &entries_[self_.index].doorbell; }

 private:
  bool HoldsLock(uint32_t index) const;
  /** Number of entries to look at: all that are taken are below it. */
  uint32_t Limit() const;
  /** Sees to it that `Limit` covers this process, whatever damage has done to it. */
  void Reach() {
    // Relaxed: stored before this process's first pin or claim, both under a stripe lock, under which the others look.
    if (limit_.load(std::memory_order_relaxed) <= self_.index) RaiseLimit();
  }
  void RaiseLimit();

  std::atomic<uint32_t>& limit_;
  ProcessEntry* entries_;
  int fd_;
  ProcessId self_ = {0, 0};
  uint64_t identity_ = 0;
};

}  // namespace shm

#endif  // MOOVEDGE_SHM_PROCESS_H_
