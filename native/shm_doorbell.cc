#include "shm_doorbell.h"

#include <cerrno>
#include <climits>
#include <utility>

#include "shm_system.h"

namespace shm {

void DoorbellThread::Start(std::atomic<uint32_t>* doorbell, std::function<void()> rung) {
  doorbell_ = doorbell;
  rung_ = std::move(rung);
  stopping_.store(false, std::memory_order_relaxed);
  sem_init(&fetched_, 0, 0);
  thread_ = std::thread([this] { Run(); });
}

void DoorbellThread::Run() {
  // Acquire: pairs with the release in Stop.
  while (!stopping_.load(std::memory_order_acquire)) {
    if (doorbell_->load(std::memory_order_acquire) == 0) {
      FutexWait(doorbell_, 0, 0);
      continue;
    }
    rung_();
    while (sem_wait(&fetched_) != 0 && errno == EINTR) {
    }
  }
}

void DoorbellThread::Fetched() { sem_post(&fetched_); }

void DoorbellThread::Stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  // Set before the wake: a thread that is about to sleep finds the word changed.
  doorbell_->store(1, std::memory_order_seq_cst);
  FutexWake(doorbell_, INT_MAX);
  sem_post(&fetched_);
  thread_.join();
  sem_destroy(&fetched_);
}

}  // namespace shm
