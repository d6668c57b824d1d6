#include "shm_lock.h"

#include "shm_system.h"

namespace shm {

namespace {

constexpr uint32_t kSleepers = 0x80000000;
constexpr int kSpins = 100;
/** A sleeper looks at this interval whether the holder lives, in milliseconds. */
constexpr uint32_t kCheckMs = 5;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/** One thread uses each attachment, so a word that names this process can only be damage. */
bool IsDead(uint32_t word, const ProcessTable& processes) {
  const ProcessId holder = ProcessId::Unpack(word & ~kSleepers);
  return holder.index == processes.self().index || !processes.IsAlive(holder);
}

}  // namespace

LockResult TryLockWord(std::atomic<uint32_t>* word, const ProcessTable& processes) {
  uint32_t seen = 0;
  // Acquire: what the former holder did is seen.
  if (word->compare_exchange_strong(seen, processes.self().Pack(), std::memory_order_acquire))
    return LockResult::kLocked;
  if (!IsDead(seen, processes)) return LockResult::kBusy;
  // The sleepers of the dead holder are kept in the word: UnlockWord wakes them.
  const uint32_t mine = processes.self().Pack() | kSleepers;
  return word->compare_exchange_strong(seen, mine, std::memory_order_acquire) ? LockResult::kStolen : LockResult::kBusy;
}

LockResult LockWord(std::atomic<uint32_t>* word, const ProcessTable& processes) {
  const uint32_t self = processes.self().Pack();
  uint32_t seen = 0;
  if (word->compare_exchange_strong(seen, self, std::memory_order_acquire)) return LockResult::kLocked;
  for (int spin = 0; spin < kSpins; spin++) {
    Pause();
    seen = word->load(std::memory_order_relaxed);
    if (seen == 0 && word->compare_exchange_strong(seen, self, std::memory_order_acquire)) return LockResult::kLocked;
  }
  const uint64_t start = MonotonicMs();
  uint32_t suspect = 0;
  for (;;) {
    seen = word->load(std::memory_order_relaxed);
    if (seen == 0) {
      // Taken with the bit `kSleepers` set: others may be asleep beside this one, and only that bit has them woken.
      if (word->compare_exchange_strong(seen, self | kSleepers, std::memory_order_acquire)) return LockResult::kLocked;
      continue;
    }
    if ((seen & kSleepers) == 0) {
      if (!word->compare_exchange_strong(seen, seen | kSleepers, std::memory_order_relaxed)) continue;
      seen |= kSleepers;
    }
    // Asked only when the holder is the same before and after a sleep, since asking is a system call.
    if (seen == suspect) {
      if (IsDead(seen, processes)) {
        if (word->compare_exchange_strong(seen, self | kSleepers, std::memory_order_acquire))
          return LockResult::kStolen;
        continue;
      }
      if (MonotonicMs() - start >= kLockTimeoutMs) return LockResult::kBusy;
    }
    suspect = seen;
    FutexWait(word, seen, kCheckMs);
  }
}

void UnlockWord(std::atomic<uint32_t>* word) {
  // Release: what was done under the lock is seen by the next holder.
  if ((word->exchange(0, std::memory_order_release) & kSleepers) != 0) FutexWake(word, 1);
}

}  // namespace shm
