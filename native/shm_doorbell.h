// A thread that sleeps on a process's doorbell and calls when it rings.
#ifndef MOOVEDGE_SHM_DOORBELL_H_
#define MOOVEDGE_SHM_DOORBELL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <semaphore.h>
#include <thread>

namespace shm {

class DoorbellThread {
 public:
  DoorbellThread() = default;
  DoorbellThread(const DoorbellThread&) = delete;
  DoorbellThread& operator=(const DoorbellThread&) = delete;
  ~DoorbellThread() { Stop(); }

  /** `rung` is called on the thread, once for each time that mail was fetched since. */
  void Start(std::atomic<uint32_t>* doorbell, std::function<void()> rung);
  /** To be called after the mail was fetched: the thread goes back to sleep until the next ring. */
  void Fetched();
  void Stop();

 private:
  void Run();

  std::atomic<uint32_t>* doorbell_ = nullptr;
  std::function<void()> rung_;
  std::atomic<bool> stopping_{false};
  sem_t fetched_;
  std::thread thread_;
};

}  // namespace shm

#endif  // MOOVEDGE_SHM_DOORBELL_H_
