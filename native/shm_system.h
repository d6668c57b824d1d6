// The few system facilities that the core uses: clocks, futexes, byte-range locks.
#ifndef MOOVEDGE_SHM_SYSTEM_H_
#define MOOVEDGE_SHM_SYSTEM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace shm {

/** What went wrong, in words for the operator; `kind` tells callers apart what they must treat differently. */
struct Status {
  enum Kind {
    kOk,
    /** The file belongs to another running edge. */
    kHeld,
    /** The file is not ours. */
    kForeign,
    /** The file is ours but can't be used as it is. */
    kDamaged,
    /** There is not enough room for the file. */
    kSpace,
    /** The caller asked for something that can't be. */
    kArgument,
    /** The operating system refused. */
    kSystem,
  };
  Kind kind = kOk;
  std::string message;

  bool ok() const { return kind == kOk; }
  static Status Error(Kind kind, std::string message) { return {kind, std::move(message)}; }
  /** An error of the system: `what` and the text of errno. */
  static Status System(const std::string& what, int error);
};

/** Milliseconds of a clock that all processes of the machine share and that never steps. */
uint64_t MonotonicMs();
/** Microseconds of that clock, not at the scheduler's tick but as exact as it is. */
uint64_t MonotonicUs();
/** Microseconds since 1970, at the resolution of the scheduler's tick. */
uint64_t RealtimeUs();

/** Sleeps while `*word` is `expected`, at most `timeoutMs` (0: for ever), or until woken. Works between processes. */
void FutexWait(std::atomic<uint32_t>* word, uint32_t expected, uint32_t timeoutMs);
/** Wakes at most `count` sleepers. */
void FutexWake(std::atomic<uint32_t>* word, int count);

/** Reads `length` bytes at `offset`; false on an error or the file's end. */
bool ReadAll(int fd, void* to, size_t length, uint64_t offset);

/**
 * Bytes of the file, far past its end, whose locks say who is there. The kernel releases them when their holder dies.
 */
enum LockByte : int64_t {
  /** Held for writing while a process opens or closes the file. */
  kStartLock = int64_t{1} << 62,
  /** Held for reading by each supervisor. */
  kHolderLock = kStartLock + 1,
  /** + index of the process: held for writing as long as the process lives. */
  kProcessLock = kStartLock + 2,
};

/**
 * Takes the lock of one byte without waiting; it belongs to the open file, not the process. False when another has it.
 */
bool TryLock(int fd, int64_t byte, bool write);
/**
 * Takes the lock for writing. Returns 0, ETIMEDOUT after `timeoutMs`, or what else errno says: not every filesystem has
 * such locks.
 */
int LockWithin(int fd, int64_t byte, uint32_t timeoutMs);
void Unlock(int fd, int64_t byte);
/** True when another open file has a lock on any of `count` bytes. */
bool IsLockedByOther(int fd, int64_t byte, int64_t count);

}  // namespace shm

#endif  // MOOVEDGE_SHM_SYSTEM_H_
