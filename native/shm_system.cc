#include "shm_system.h"

#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace shm {

Status Status::System(const std::string& what, int error) { return {kSystem, what + ": " + std::strerror(error)}; }

uint64_t MonotonicMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

uint64_t MonotonicUs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

uint64_t RealtimeUs() {
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

void FutexWait(std::atomic<uint32_t>* word, uint32_t expected, uint32_t timeoutMs) {
  timespec timeout = {static_cast<time_t>(timeoutMs / 1000), static_cast<long>(timeoutMs % 1000) * 1000000};
  // Not FUTEX_PRIVATE: the sleepers and wakers are in different processes.
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAIT, expected, timeoutMs == 0 ? nullptr : &timeout,
          nullptr, 0);
}

void FutexWake(std::atomic<uint32_t>* word, int count) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAKE, count, nullptr, nullptr, 0);
}

namespace {

struct flock ByteLock(int64_t byte, short type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

}  // namespace

bool ReadAll(int fd, void* to, size_t length, uint64_t offset) {
  uint8_t* at = static_cast<uint8_t*>(to);
  while (length > 0) {
    const ssize_t got = pread(fd, at, length, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    offset += static_cast<uint64_t>(got);
    length -= static_cast<size_t>(got);
  }
  return true;
}

bool TryLock(int fd, int64_t byte, bool write) {
  struct flock lock = ByteLock(byte, write ? F_WRLCK : F_RDLCK);
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

int LockWithin(int fd, int64_t byte, uint32_t timeoutMs) {
  const uint64_t deadline = MonotonicMs() + timeoutMs;
  while (!TryLock(fd, byte, true)) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) return errno;
    if (MonotonicMs() >= deadline) return ETIMEDOUT;
    usleep(2000);
  }
  return 0;
}

void Unlock(int fd, int64_t byte) {
  struct flock lock = ByteLock(byte, F_UNLCK);
  fcntl(fd, F_OFD_SETLK, &lock);
}

bool IsLockedByOther(int fd, int64_t byte, int64_t count) {
  struct flock lock = ByteLock(byte, F_WRLCK);
  lock.l_len = count;
  // When the kernel can't tell, the holder counts as alive: a slot that stays busy is better than one taken from a
  // living process.
  return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

}  // namespace shm
