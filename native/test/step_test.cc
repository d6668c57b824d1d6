// Kills a process at every single instruction of its work on the cache, and checks what it leaves behind.
//
//   step_test STRIDE    looks at every STRIDEth instruction

#include <csignal>
#include <cstring>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "../shm_crc.h"
#include "../shm_stats.h"
#include "support.h"

using namespace test;
using shm::Cache;

namespace {

constexpr int kNotAllowed = 77;
constexpr int kParts = 13;
/** The parts from here on are done by demand. */
constexpr int kFirstByDemand = 11;
constexpr uint32_t kSlots = 6;
/** Short, so that most instructions are the cache's and not those that copy. */
constexpr uint32_t kLength = 40;

bool FillShort(Cache& cache, uint32_t number) {
  uint32_t fill, watermark;
  if (cache.ClaimFill(KeyOf(number), kLength, false, &fill, &watermark) != shm::Claim::kFilling) return false;
  const std::vector<uint8_t> rest = ContentOf(number, watermark, kLength);
  CHECK(cache.Append(fill, rest.data(), rest.size()) == shm::AppendResult::kComplete);
  return true;
}

int64_t ReadShort(Cache& cache, uint32_t number) {
  const int64_t readable = cache.Acquire(KeyOf(number), true);
  if (readable == shm::kAbsent) return readable;
  CHECK(readable <= kLength);
  CHECK(IsContent(number, 0, cache.data(cache.pinnedSlot()), static_cast<size_t>(readable)));
  cache.Release();
  return readable;
}

/** The work that is cut short, in parts that are cut each on its own. The cache is full before. */
void Work(Cache& cache, int part, void (*begin)()) {
  uint32_t fill, watermark;
  const std::vector<uint8_t> content = ContentOf(50, 0, kLength);
  const auto claim = [&] {
    return cache.ClaimFill(KeyOf(50), kLength, false, &fill, &watermark) == shm::Claim::kFilling;
  };
  const auto append = [&](uint32_t from, uint32_t to) { return cache.Append(fill, content.data() + from, to - from); };
  if (part == 0) {
    // Evicts.
    begin();
    CHECK(claim());
    return;
  }
  if (part <= 4) CHECK(claim());
  switch (part) {
    case 1:
      cache.Watch(KeyOf(50), 0);
      begin();
      append(0, 10);
      break;
    case 2:
      append(0, 10);
      begin();
      append(10, kLength);
      break;
    case 3:
      append(0, 10);
      begin();
      cache.Abandon(fill, false);
      break;
    case 4:
      append(0, 10);
      begin();
      cache.Abandon(fill, true);
      break;
    case 5:
      begin();
      ReadShort(cache, 1);
      break;
    case 6:
      CHECK(claim());
      append(0, 10);
      cache.Abandon(fill, false);
      begin();
      // Takes over.
      CHECK(claim());
      break;
    case 7:
      begin();
      cache.EvictAhead(300, {0xffffffff, 0, 0});
      break;
    case 8:
      begin();
      cache.Scrub(2000);
      break;
    case 9:
      CHECK(claim());
      begin();
      cache.Close();
      break;
    case 10: {
      const pid_t pid = fork();
      if (pid == 0) {
        Cache dying({1000});
        Open(dying, Worker(CurrentFile()));
        CHECK(dying.ClaimFill(KeyOf(50), kLength, false, &fill, &watermark) == shm::Claim::kFilling);
        _exit(0);
      }
      waitpid(pid, nullptr, 0);
      begin();
      CHECK_EQUAL(cache.Reap(), 1);
      break;
    }
    case 11:
      begin();
      ReadShort(cache, 1);
      cache.Leave(KeyOf(1));
      break;
    case 12:
      begin();
      cache.EvictAhead(300, {0xffffffff, 0, 0});
      break;
    default:
      _exit(2);
  }
}

/** Runs a part in a child and kills it after `steps` instructions; false when it had ended before. */
bool KillAfter(const std::string& path, int part, uint64_t steps) {
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    DieWithParent();
    shm::CacheOptions options;
    options.fillPermille = 1000;
    options.notesDemand = part >= kFirstByDemand;
    Cache cache(options);
    cache.EvictByDemand(options.notesDemand);
    Open(cache, Worker(path));
    Work(cache, part, [] {
      if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(kNotAllowed);
      raise(SIGSTOP);
    });
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotAllowed) {
    std::printf("step test skipped: following a process step by step is not allowed here\n");
    unlink(path.c_str());
    std::exit(0);
  }
  CHECK(WIFSTOPPED(status));
  for (uint64_t step = 0; step < steps; step++) {
    CHECK(ptrace(PTRACE_SINGLESTEP, pid, nullptr, nullptr) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status)) {
      CHECK_EQUAL(WEXITSTATUS(status), 0);
      return false;
    }
    CHECK(WIFSTOPPED(status));
  }
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, &status, 0) == pid);
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  const uint64_t stride = count > 1 ? static_cast<uint64_t>(std::atoi(arguments[1])) : 1;
  // Parent and child take turns: on one processor that is faster.
  cpu_set_t processor;
  CPU_ZERO(&processor);
  CPU_SET(sched_getcpu(), &processor);
  sched_setaffinity(0, sizeof processor, &processor);
  TemporaryFile file("step");
  Cache cache({1000});
  Open(cache, Supervisor(file.path(), kSlots));
  uint64_t kills = 0;
  for (int part = 0; part < kParts; part++) {
    // Another first instruction for each part, so that a stride does not always skip the same.
    for (uint64_t steps = static_cast<uint64_t>(part) % stride;; steps += stride) {
      // Always from the same state: full, in the order 0 to 5.
      for (uint32_t number = 40; number < 40 + kSlots; number++) CHECK(FillShort(cache, number));
      for (uint32_t number = 0; number < kSlots; number++) CHECK(FillShort(cache, number));
      if (!KillAfter(file.path(), part, steps)) break;
      kills++;
      cache.Reap();
      // Half of the time the next to come is a new process, which gets the place of the dead one.
      if (kills % 2 == 0) {
        Cache other({1000});
        Open(other, Worker(file.path()));
        ReadShort(other, 0);
      }
      // All that was whole and not evicted is there, and nothing is held.
      uint32_t found = 0;
      for (uint32_t number = 0; number < kSlots; number++) found += ReadShort(cache, number) == kLength;
      CHECK(found >= kSlots - 1);
      CHECK(FillShort(cache, 50) || ReadShort(cache, 50) == kLength);
      CheckInvariants(cache);
      const shm::CacheStats stats = cache.Stats();
      CHECK_EQUAL(stats.filling, 0);
      CHECK_EQUAL(stats.pinned, 0);
      CHECK_EQUAL(stats.processes, 1);
      CHECK_EQUAL(stats.checksumFailures, 0);
    }
  }
  const uint64_t repairs = cache.Stats().repairs;
  CHECK(repairs > 0);
  std::printf("step test passed: killed after every %llu. instruction, %llu times; %llu repairs\n",
              static_cast<unsigned long long>(stride), static_cast<unsigned long long>(kills),
              static_cast<unsigned long long>(repairs));
  return 0;
}
