#include "shm_process.h"

#include <algorithm>
#include <climits>

#include "shm_system.h"

namespace shm {

namespace {

uint32_t PidOf(uint64_t identity) { return static_cast<uint32_t>(identity); }
uint32_t IncarnationOf(uint64_t identity) {
  return static_cast<uint32_t>(identity >> 32) & ProcessId::kIncarnationMask;
}

}  // namespace

bool ProcessTable::Attach(uint32_t pid, uint32_t role, bool* diedBefore) {
  for (uint32_t index = 0; index < kProcesses; index++) {
    if (!TryLock(fd_, kProcessLock + index, true)) continue;
    ProcessEntry& entry = entries_[index];
    // The byte's lock, which the kernel hands over, orders what the former holder did before this.
    const uint64_t former = entry.identity.load(std::memory_order_acquire);
    *diedBefore = PidOf(former) != 0;
    self_ = {index, (IncarnationOf(former) + 1) & ProcessId::kIncarnationMask};
    for (auto& hazard : entry.hazards) hazard.store(0, std::memory_order_relaxed);
    entry.doorbell.store(0, std::memory_order_relaxed);
    entry.mailWords.store(0, std::memory_order_relaxed);
    for (auto& word : entry.mail) word.store(0, std::memory_order_relaxed);
    entry.since.store(RealtimeUs() / 1000, std::memory_order_relaxed);
    entry.role.store(role, std::memory_order_relaxed);
    // Release: who sees the new identity sees the emptied entry.
    identity_ = uint64_t{self_.incarnation} << 32 | pid;
    entry.identity.store(identity_, std::memory_order_release);
    Reach();
    return true;
  }
  return false;
}

uint32_t ProcessTable::Limit() const { return std::min(limit_.load(std::memory_order_relaxed), kProcesses); }

void ProcessTable::RaiseLimit() {
  uint32_t limit = limit_.load(std::memory_order_relaxed);
  while (limit <= self_.index && !limit_.compare_exchange_weak(limit, self_.index + 1, std::memory_order_relaxed)) {
  }
}

void ProcessTable::Reassert() {
  Reach();
  std::atomic<uint64_t>& identity = entries_[self_.index].identity;
  if (identity.load(std::memory_order_relaxed) != identity_) identity.store(identity_, std::memory_order_release);
}

void ProcessTable::Detach() {
  for (uint32_t pin = 0; pin < kPins; pin++) Unpin(pin);
  entries_[self_.index].identity.store(uint64_t{self_.incarnation} << 32, std::memory_order_release);
}

void ProcessTable::ForgetOthers() {
  for (uint32_t index = 0; index < kProcesses; index++) {
    if (index == self_.index) continue;
    const uint64_t identity = entries_[index].identity.load(std::memory_order_relaxed);
    entries_[index].identity.store(identity & ~uint64_t{0xffffffff}, std::memory_order_relaxed);
    for (auto& hazard : entries_[index].hazards) hazard.store(0, std::memory_order_relaxed);
  }
  limit_.store(self_.index + 1, std::memory_order_relaxed);
}

bool ProcessTable::HoldsLock(uint32_t index) const { return IsLockedByOther(fd_, kProcessLock + index, 1); }

bool ProcessTable::IsAlive(ProcessId id) const {
  if (id.index >= kProcesses) return false;
  // Acquire: pairs with the store in Attach, so that a new incarnation is seen with its entry.
  const uint64_t identity = entries_[id.index].identity.load(std::memory_order_acquire);
  if (PidOf(identity) == 0 || IncarnationOf(identity) != id.incarnation) return false;
  return id.index == self_.index || HoldsLock(id.index);
}

bool ProcessTable::HasOthers() const { return IsLockedByOther(fd_, kProcessLock, kProcesses); }

std::vector<ProcessTable::Dead> ProcessTable::FindDead() const {
  std::vector<Dead> dead;
  for (uint32_t index = 0, limit = Limit(); index < limit; index++) {
    const uint64_t identity = entries_[index].identity.load(std::memory_order_acquire);
    if (index != self_.index && PidOf(identity) != 0 && !HoldsLock(index)) dead.push_back({index, identity});
  }
  return dead;
}

bool ProcessTable::Free(const Dead& dead) {
  uint64_t identity = dead.identity;
  // Compare and exchange, because a new process may have attached to this very entry: then the entry is its own.
  return entries_[dead.index].identity.compare_exchange_strong(identity, identity & ~uint64_t{0xffffffff},
                                                               std::memory_order_acq_rel);
}

uint32_t ProcessTable::CountAlive() const {
  uint32_t count = 0;
  for (uint32_t index = 0, limit = Limit(); index < limit; index++) {
    if (index == self_.index || HoldsLock(index)) count++;
  }
  return count;
}

bool ProcessTable::IsPinned(uint32_t slot) const {
  for (uint32_t index = 0, limit = Limit(); index < limit; index++) {
    bool isPinned = false;
    // Acquire: pairs with the release in Unpin.
    for (const auto& hazard : entries_[index].hazards) isPinned |= hazard.load(std::memory_order_acquire) == slot + 1;
    if (isPinned && (index == self_.index || HoldsLock(index))) return true;
  }
  return false;
}

uint32_t ProcessTable::CountPinned() const {
  uint32_t count = 0;
  for (uint32_t index = 0, limit = Limit(); index < limit; index++) {
    if (!HasPins(entries_[index])) continue;
    if (index == self_.index || HoldsLock(index)) count++;
  }
  return count;
}

void ProcessTable::Ring(uint64_t waiters, uint32_t mailClass) const {
  const uint32_t limit = waiters == 0 ? 0 : Limit();
  for (uint32_t index = 0; index < limit; index++) {
    ProcessEntry& entry = entries_[index];
    if ((waiters >> index % 64 & 1) == 0 || index == self_.index ||
        PidOf(entry.identity.load(std::memory_order_relaxed)) == 0)
      continue;
    // The bit in `mail` first, the one in `mailWords` second, the doorbell last; FetchMail reads in the opposite order.
    // Sequentially consistent, so that a bit set after FetchMail has passed its word finds the doorbell at 0 and rings
    // again.
    entry.mail[mailClass / 64].fetch_or(uint64_t{1} << (mailClass % 64), std::memory_order_seq_cst);
    entry.mailWords.fetch_or(uint64_t{1} << (mailClass / 64), std::memory_order_seq_cst);
    if (entry.doorbell.exchange(1, std::memory_order_seq_cst) == 0) FutexWake(&entry.doorbell, INT_MAX);
  }
}

bool ProcessTable::FetchMail(uint64_t classes[kMailClasses / 64]) {
  static_assert(kMailClasses / 64 == 64, "one word of words");
  ProcessEntry& entry = entries_[self_.index];
  entry.doorbell.store(0, std::memory_order_seq_cst);
  uint64_t words = entry.mailWords.exchange(0, std::memory_order_seq_cst);
  for (uint32_t word = 0; word < kMailClasses / 64; word++) {
    classes[word] = words >> word & 1 ? entry.mail[word].exchange(0, std::memory_order_seq_cst) : 0;
  }
  return words != 0;
}

}  // namespace shm
