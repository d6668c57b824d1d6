// What the tests of the core share: checks, keys, and contents that follow from the key.
#ifndef MOOVEDGE_TEST_SUPPORT_H_
#define MOOVEDGE_TEST_SUPPORT_H_

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>
#include <vector>

#include "../shm_cache.h"

#define CHECK(condition)                                          \
  do {                                                            \
    if (!(condition)) test::Fail(__FILE__, __LINE__, #condition); \
  } while (false)

#define CHECK_EQUAL(found, expected)                                                                         \
  do {                                                                                                       \
    const long long f = static_cast<long long>(found), e = static_cast<long long>(expected);                 \
    if (f != e) {                                                                                            \
      test::Fail(__FILE__, __LINE__, #found " is " + std::to_string(f) + ", expected " + std::to_string(e)); \
    }                                                                                                        \
  } while (false)

namespace test {

/** The file that is removed when a check fails, too. */
inline std::string& CurrentFile() {
  static std::string path;
  return path;
}

[[noreturn]] inline void Fail(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "%s:%d: failed: %s\n", file, line, what.c_str());
  unlink(CurrentFile().c_str());
  // Not exit: this may be a child, or one of several threads.
  std::_Exit(1);
}

/** To be called by a child: it ends with its parent, however that ends. */
inline void DieWithParent() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == 1) std::_Exit(1);
}

/** A generator whose runs can be repeated. */
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull + 1) {}
  uint64_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ * 0x2545f4914f6cdd1dull;
  }
  uint32_t Below(uint32_t limit) { return static_cast<uint32_t>((Next() >> 32) * limit >> 32); }

 private:
  uint64_t state_;
};

inline shm::Key KeyOf(uint32_t number) { return {{number * 2654435761u, number ^ 0x5bd1e995u, 7, number}, number % 5}; }

/** Length of a block, from its number: some whole, most short. */
inline uint32_t LengthOf(uint32_t number) {
  Random random(number + 17);
  return number % 16 == 0 ? shm::kBlockSize : 1 + random.Below(6000);
}

/** Byte `at` of the block with this number. */
inline uint8_t ByteOf(uint32_t number, uint32_t at) {
  const uint64_t word = (uint64_t{number} << 32 | at >> 3) * 0x9e3779b97f4a7c15ull;
  return static_cast<uint8_t>((word ^ word >> 29) >> (8 * (at & 7)));
}

inline std::vector<uint8_t> ContentOf(uint32_t number, uint32_t from, uint32_t to) {
  std::vector<uint8_t> bytes(to - from);
  for (uint32_t at = from; at < to; at++) bytes[at - from] = ByteOf(number, at);
  return bytes;
}

/** True when the bytes are those of the block from `from` on. */
inline bool IsContent(uint32_t number, uint32_t from, const uint8_t* bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] != ByteOf(number, from + static_cast<uint32_t>(i))) return false;
  }
  return true;
}

/** Path of a cache file that is removed at the end. */
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& name)
      : path_("/dev/shm/moovedge-test-" + name + "-" + std::to_string(getpid())) {
    unlink(path_.c_str());
    CurrentFile() = path_;
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline shm::OpenOptions Supervisor(const std::string& path, uint32_t slots) {
  shm::OpenOptions options;
  options.path = path;
  options.role = shm::Role::kSupervisor;
  options.bytes = uint64_t{slots} * shm::kBlockSize;
  return options;
}

inline shm::OpenOptions Worker(const std::string& path) {
  shm::OpenOptions options;
  options.path = path;
  return options;
}

inline void Open(shm::Cache& cache, const shm::OpenOptions& options) {
  const shm::Status status = cache.Open(options);
  if (!status.ok()) Fail(__FILE__, __LINE__, status.message);
}

/** How an attempt to open ends. */
inline shm::Status TryOpen(const shm::OpenOptions& options) {
  shm::Cache cache({});
  return cache.Open(options);
}

/** Fills a block whole, or from where its last filler stopped; false when it can't be claimed. */
inline bool Fill(shm::Cache& cache, uint32_t number) {
  uint32_t fill, watermark;
  const uint32_t length = LengthOf(number);
  if (cache.ClaimFill(KeyOf(number), length, false, &fill, &watermark) != shm::Claim::kFilling) return false;
  const std::vector<uint8_t> rest = ContentOf(number, watermark, length);
  CHECK(cache.Append(fill, rest.data(), rest.size()) == shm::AppendResult::kComplete);
  return true;
}

/** Reads a block and checks every readable byte; returns how many there are, or kAbsent. */
inline int64_t Read(shm::Cache& cache, uint32_t number) {
  const int64_t readable = cache.Acquire(KeyOf(number), true);
  if (readable == shm::kAbsent) return readable;
  CHECK(readable <= LengthOf(number));
  CHECK(IsContent(number, 0, cache.data(cache.pinnedSlot()), static_cast<size_t>(readable)));
  cache.Release();
  return readable;
}

inline shm::Stripe StripeAt(const shm::Cache& cache, shm::ProcessTable& processes, uint32_t index) {
  return shm::Stripe(cache.file().base(), cache.file().geometry(), cache.file().header().seed, index, processes);
}

/** Checks that index, order and free list of every stripe say what the slot headers say. Nobody else may be at work. */
inline void CheckInvariants(shm::Cache& cache) {
  const shm::Geometry& g = cache.file().geometry();
  for (uint32_t index = 0; index < g.stripeCount; index++) {
    shm::Stripe stripe = StripeAt(cache, cache.processes(), index);
    const shm::StripeHeader& header = stripe.header();
    const auto* links =
        reinterpret_cast<const shm::SlotLinks*>(cache.file().base() + g.links) + uint64_t{index} * g.slotsPerStripe;
    CHECK_EQUAL(header.lock.load(), 0);
    CHECK(stripe.CountsAgree());
    std::vector<int> seen(stripe.size(), 0);
    uint32_t free = 0;
    for (uint32_t slot = header.freeHead; slot != shm::kNil; slot = links[slot].colder, free++) {
      CHECK(slot < stripe.size() && seen[slot]++ == 0);
      CHECK_EQUAL(stripe.slot(slot).state.load(), shm::kFree);
      CHECK_EQUAL(stripe.slot(slot).owner.load(), 0);
    }
    CHECK_EQUAL(free, header.freeCount.load());
    uint32_t ordered = 0;
    uint32_t condemned = 0;
    uint64_t last = 0;
    for (uint32_t slot = stripe.order().First(); slot != shm::kNil; slot = stripe.order().Next(slot), ordered++) {
      CHECK(slot < stripe.size() && seen[slot]++ == 0);
      const shm::SlotHeader& s = stripe.slot(slot);
      CHECK_EQUAL(s.state.load(), shm::kUsed);
      CHECK_EQUAL(s.owner.load(), 0);
      // What is condemned comes first, whenever it was used.
      if (s.condemned.load() != 0) {
        CHECK_EQUAL(condemned++, ordered);
      } else {
        CHECK(s.lastUse.load() > last);
        last = s.lastUse.load();
      }
      const uint64_t hash = shm::HashKey(s.key, cache.file().header().seed);
      CHECK_EQUAL(shm::StripeOf(hash, g.stripeCount), index);
      CHECK_EQUAL(stripe.Find(s.key, hash), slot);
    }
    CHECK_EQUAL(ordered, header.ordered.load());
    CHECK_EQUAL(condemned, header.condemned.load());
    uint32_t filling = 0;
    for (uint32_t slot = 0; slot < stripe.size(); slot++) {
      if (seen[slot] != 0) continue;
      filling++;
      CHECK(stripe.slot(slot).owner.load() != 0);
    }
    CHECK_EQUAL(filling, header.filling.load());
  }
}

}  // namespace test

#endif  // MOOVEDGE_TEST_SUPPORT_H_
