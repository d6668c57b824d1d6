// A lock in shared memory that outlives its holder.
//
// The word is 0 when free, else ProcessId::Pack of the holder, with the top bit set when somebody may be asleep. A
// holder that died is found by the byte lock that the kernel took from it; then the lock is stolen, and the thief
// repairs what the lock protects.
#ifndef MOOVEDGE_SHM_LOCK_H_
#define MOOVEDGE_SHM_LOCK_H_

#include <atomic>
#include <cstdint>

#include "shm_process.h"

namespace shm {

enum class LockResult {
  kLocked,
  /** Locked, but the former holder died inside: repair first. */
  kStolen,
  /** Not locked: a living process has held it for too long (it is stopped). */
  kBusy,
};

/**
 * Longest time that a living holder is waited for, in milliseconds; it holds the lock for microseconds unless it is
 * stopped.
 */
constexpr uint32_t kLockTimeoutMs = 200;

LockResult LockWord(std::atomic<uint32_t>* word, const ProcessTable& processes);
/** As LockWord, but kBusy at once when a living process has it. */
LockResult TryLockWord(std::atomic<uint32_t>* word, const ProcessTable& processes);
void UnlockWord(std::atomic<uint32_t>* word);

}  // namespace shm

#endif  // MOOVEDGE_SHM_LOCK_H_
