// A stripe of a cache with its lock held.
#ifndef MOOVEDGE_SHM_LOCKED_H_
#define MOOVEDGE_SHM_LOCKED_H_

#include "shm_cache.h"
#include "shm_lock.h"

namespace shm {

/** How long a stripe whose holder is stopped is left alone before it is waited for again, in milliseconds. */
constexpr uint64_t kBusyMs = 1000;

/** Converts to false when a stopped process holds the stripe: then it can't be used. */
class Cache::Locked {
 public:
  Locked(Cache& cache, uint32_t index) : stripe_(cache.StripeAt(index)) {
    uint64_t& busyUntil = cache.busyUntil_[index];
    std::atomic<uint32_t>* word = &stripe_.header().lock;
    const bool wait = busyUntil == 0 || MonotonicMs() >= busyUntil;
    const LockResult result = wait ? LockWord(word, *cache.processes_) : TryLockWord(word, *cache.processes_);
    locked_ = result != LockResult::kBusy;
    if (wait) busyUntil = locked_ ? 0 : MonotonicMs() + kBusyMs;
    if (locked_ && (result == LockResult::kStolen || !stripe_.CountsAgree())) stripe_.Repair();
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
  ~Locked() { Release(); }

  void Release() {
    if (locked_) UnlockWord(&stripe_.header().lock);
    locked_ = false;
  }
  explicit operator bool() const { return locked_; }
  Stripe* operator->() { return &stripe_; }
  Stripe& operator*() { return stripe_; }

 private:
  Stripe stripe_;
  bool locked_;
};

}  // namespace shm

#endif  // MOOVEDGE_SHM_LOCKED_H_
