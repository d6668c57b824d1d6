// Many processes on one file, killed at random: no wrong byte, nothing lost but what was being filled, nothing left
// behind.
//
//   stress_test processes ROUNDS    children are killed one at a time, and now and then all at once
//   stress_test threads ROUNDS      the same work by threads on one mapping, which thread checkers can follow

#include <atomic>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <thread>

#include "../shm_crc.h"
#include "../shm_stats.h"
#include "support.h"

using namespace test;
using shm::Cache;

namespace {

constexpr uint32_t kSlots = 600;
constexpr uint32_t kNumbers = 900;
constexpr uint32_t kChildren = 5;

/** One step of a worker's life. `fills` are those that it has begun and not ended. */
struct Begun {
  uint32_t handle;
  uint32_t number;
  uint32_t watermark;
};

void Step(Cache& cache, Random& random, std::vector<Begun>& begun) {
  const uint32_t number = random.Below(8) == 0 ? random.Below(20) : random.Below(kNumbers);
  const int64_t readable = Read(cache, number);
  const uint32_t length = LengthOf(number);
  if (readable < static_cast<int64_t>(length)) {
    uint32_t handle, watermark;
    const shm::Claim claim = cache.ClaimFill(KeyOf(number), length, false, &handle, &watermark);
    if (claim == shm::Claim::kFilling) begun.push_back({handle, number, watermark});
    if (claim == shm::Claim::kFollowing) cache.Watch(KeyOf(number), 0);
  }
  if (!begun.empty() && (begun.size() > 8 || random.Below(3) != 0)) {
    const size_t which = random.Below(static_cast<uint32_t>(begun.size()));
    Begun& fill = begun[which];
    const uint32_t left = LengthOf(fill.number) - fill.watermark;
    const uint32_t step = random.Below(2) == 0 ? left : random.Below(left + 1);
    bool over = random.Below(20) == 0;
    if (over) {
      cache.Abandon(fill.handle, random.Below(2) == 0);
    } else {
      const std::vector<uint8_t> bytes = ContentOf(fill.number, fill.watermark, fill.watermark + step);
      const shm::AppendResult result = cache.Append(fill.handle, bytes.data(), bytes.size());
      CHECK(result == shm::AppendResult::kAppended || result == shm::AppendResult::kComplete);
      fill.watermark += step;
      over = result == shm::AppendResult::kComplete;
      CHECK(over == (fill.watermark == LengthOf(fill.number)));
    }
    if (over) begun.erase(begun.begin() + static_cast<std::ptrdiff_t>(which));
  }
  if (random.Below(50) == 0) cache.Reap();
  if (random.Below(200) == 0) cache.EvictAhead(20, {2, 0, 0});
  if (random.Below(500) == 0) cache.Scrub(100000);
  if (random.Below(100) == 0) {
    uint64_t classes[shm::kMailClasses / 64];
    cache.FetchMail(classes);
  }
}

[[noreturn]] void Child(const std::string& path, uint64_t seed) {
  DieWithParent();
  Cache cache({});
  Open(cache, Worker(path));
  Random random(seed);
  std::vector<Begun> begun;
  for (;;) Step(cache, random, begun);
}

pid_t Spawn(const std::string& path, uint64_t seed) {
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) Child(path, seed);
  return pid;
}

/** Kills a child and sees that it had not found anything wrong before. */
void Kill(pid_t pid) {
  kill(pid, SIGKILL);
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void CheckContents(Cache& cache) {
  for (uint32_t number = 0; number < kNumbers; number++) Read(cache, number);
  // Everything unverified has been looked at: what is left must be right.
  const uint64_t failures = cache.Stats().checksumFailures;
  cache.Scrub(uint64_t{1} << 40);
  CHECK_EQUAL(cache.Stats().checksumFailures, failures);
  CHECK_EQUAL(failures, 0);
}

void Processes(uint32_t rounds) {
  TemporaryFile file("stress");
  {
    Cache cache({});
    Open(cache, Supervisor(file.path(), kSlots));
  }
  Random random(rounds);
  uint64_t seed = 1;
  uint32_t killed = 0, restarts = 0;
  std::vector<pid_t> children;
  auto supervisor = std::make_unique<Cache>(shm::CacheOptions{});
  Open(*supervisor, Supervisor(file.path(), kSlots));
  for (uint32_t round = 0; round < rounds; round++) {
    while (children.size() < kChildren) children.push_back(Spawn(file.path(), seed++));
    usleep(1000 + random.Below(4000));
    if (round % 25 != 24) {
      const size_t which = random.Below(kChildren);
      Kill(children[which]);
      children.erase(children.begin() + static_cast<std::ptrdiff_t>(which));
      killed++;
      if (random.Below(2) == 0) supervisor->Reap();
      continue;
    }
    // The whole tree at once. The supervisor's own end is made to look like a kill: the file's mark says so.
    for (const pid_t pid : children) kill(pid, SIGSTOP);
    shm::Inspection before;
    CHECK(shm::Inspect(file.path(), &before).ok());
    for (const pid_t pid : children) Kill(pid);
    killed += kChildren;
    children.clear();
    supervisor.reset();
    const int fd = open(file.path().c_str(), O_RDWR);
    CHECK(pwrite(fd, &shm::kDirty, sizeof shm::kDirty, offsetof(shm::FileHeader, clean)) == sizeof shm::kDirty);
    close(fd);
    supervisor = std::make_unique<Cache>(shm::CacheOptions{});
    Open(*supervisor, Supervisor(file.path(), kSlots));
    restarts++;
    CHECK(supervisor->first() && !supervisor->wasClean());
    CheckInvariants(*supervisor);
    CHECK_EQUAL(supervisor->Stats().filling, 0);
    CheckContents(*supervisor);
    // Nothing is lost that was whole, but for blocks that a child was just evicting.
    shm::Inspection after;
    CHECK(shm::Inspect(file.path(), &after).ok());
    CHECK(after.whole + kChildren >= before.whole);
    CHECK_EQUAL(after.damaged, 0);
  }
  while (children.size() < kChildren) children.push_back(Spawn(file.path(), seed++));
  while (supervisor->Stats().filling < kChildren) usleep(1000);
  for (const pid_t pid : children) Kill(pid);
  supervisor->Reap();
  CHECK_EQUAL(supervisor->Stats().filling, 0);
  CHECK_EQUAL(supervisor->Stats().processes, 1);
  for (uint32_t number = 0; number < kNumbers; number++) Read(*supervisor, number);
  CheckInvariants(*supervisor);
  CheckContents(*supervisor);
  const shm::CacheStats stats = supervisor->Stats();
  std::printf("stress passed: %u kills, %u restarts of all, %llu repairs, %llu evictions\n", killed, restarts,
              static_cast<unsigned long long>(stats.repairs), static_cast<unsigned long long>(stats.dropped));
}

void Threads(uint32_t rounds) {
  TemporaryFile file("threads");
  Cache first({});
  Open(first, Supervisor(file.path(), kSlots));
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 4; i++) {
    threads.emplace_back([&first, rounds, i] {
      Random random(i + 1);
      uint32_t done = 0;
      while (done < rounds) {
        Cache cache({});
        CHECK(cache.OpenBeside(first).ok());
        std::vector<Begun> begun;
        for (uint32_t life = random.Below(rounds); life > 0 && done < rounds; life--, done++)
          Step(cache, random, begun);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(first.Stats().filling, 0);
  CHECK_EQUAL(first.Stats().repairs, 0);
  CheckInvariants(first);
  CheckContents(first);
  std::printf("threads passed: %llu evictions\n", static_cast<unsigned long long>(first.Stats().dropped));
}

}  // namespace

int main(int count, char** arguments) {
  const std::string mode = count > 1 ? arguments[1] : "processes";
  const uint32_t rounds = count > 2 ? static_cast<uint32_t>(std::atoi(arguments[2])) : 200;
  if (mode == "threads") {
    Threads(rounds);
  } else {
    Processes(rounds);
  }
  return 0;
}
