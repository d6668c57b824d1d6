// Tests of what the core does after crashes, with damaged files, and against mistaken use; in one process.

#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>

#include "../shm_lock.h"
#include "support.h"

using namespace test;
using shm::Cache;
using shm::CacheOptions;

namespace {

void TestCleanAndUncleanStops() {
  TemporaryFile file("stops");
  const uint32_t big = 64;
  uint32_t epoch;
  {
    Cache cache({});
    Open(cache, Supervisor(file.path(), 16));
    CHECK(!cache.wasClean());
    for (uint32_t number = big; number < big + 10; number++) CHECK(Fill(cache, number));
    CHECK(Read(cache, big) > 0);
    epoch = cache.file().header().epoch;
  }
  const auto flip = [&](Cache& cache, uint32_t number) {
    CHECK(cache.Acquire(KeyOf(number), false) > 0);
    cache.data(cache.pinnedSlot())[LengthOf(number) / 2] ^= 4;
    cache.Release();
  };
  {
    Cache cache({});
    Open(cache, Supervisor(file.path(), 16));
    CHECK(cache.first() && cache.wasClean());
    CHECK_EQUAL(cache.file().header().epoch, epoch);
    for (uint32_t number = big; number < big + 10; number++) CHECK_EQUAL(Read(cache, number), LengthOf(number));
    // The order of use survives too.
    CHECK(Fill(cache, 1) && Fill(cache, 2) && Fill(cache, 3) && Fill(cache, 4) && Fill(cache, 5) && Fill(cache, 6) &&
          Fill(cache, 7));
    CHECK(!cache.Has(KeyOf(big)) && cache.Has(KeyOf(big + 1)));
    flip(cache, big + 3);
    // As after kill -9: the mark of a clean stop is not made.
    const uint32_t dirty = cache.file().header().clean;
    CHECK_EQUAL(dirty, shm::kDirty);
    Cache second({});
    Open(second, Worker(file.path()));
    cache.Close();
    // Not the last: still not clean.
    CHECK_EQUAL(second.file().header().clean, shm::kDirty);
    second.Close();
    const int fd = open(file.path().c_str(), O_RDWR);
    CHECK(pwrite(fd, &dirty, sizeof dirty, offsetof(shm::FileHeader, clean)) == sizeof dirty);
    close(fd);
  }
  {
    Cache cache({});
    Open(cache, Supervisor(file.path(), 16));
    CHECK(cache.first() && !cache.wasClean());
    CHECK_EQUAL(cache.file().header().epoch, epoch + 1);
    CHECK_EQUAL(Read(cache, big + 3), shm::kAbsent);
    CHECK_EQUAL(cache.Stats().checksumFailures, 1);
    for (uint32_t number = big + 4; number < big + 10; number++) CHECK_EQUAL(Read(cache, number), LengthOf(number));
    // Verified once: what happens after that is for the scrub to find.
    flip(cache, big + 5);
    CHECK(cache.Acquire(KeyOf(big + 5), false) > 0);
    cache.Release();
    CHECK(cache.Scrub(1 << 30) > 0);
    CHECK_EQUAL(Read(cache, big + 5), shm::kAbsent);
    CHECK_EQUAL(cache.Stats().checksumFailures, 2);
    CheckInvariants(cache);
  }
  {
    CacheOptions always;
    always.verifyAlways = true;
    Cache cache(always);
    Open(cache, Supervisor(file.path(), 16));
    CHECK_EQUAL(Read(cache, big + 6), LengthOf(big + 6));
    flip(cache, big + 6);
    CHECK_EQUAL(Read(cache, big + 6), shm::kAbsent);
    flip(cache, big + 7);
    std::vector<uint8_t> copy(shm::kBlockSize);
    CHECK_EQUAL(cache.Copy(KeyOf(big + 7), copy.data(), copy.size()), shm::kAbsent);
    CheckInvariants(cache);
  }
}

void TestPartialAfterUncleanStop() {
  TemporaryFile file("partial");
  const uint32_t length = LengthOf(16);
  const std::vector<uint8_t> content = ContentOf(16, 0, length);
  for (bool damage : {false, true}) {
    unlink(file.path().c_str());
    {
      Cache cache({});
      Open(cache, Supervisor(file.path(), 16));
      uint32_t fill, watermark;
      CHECK(cache.ClaimFill(KeyOf(16), length, false, &fill, &watermark) == shm::Claim::kFilling);
      CHECK(cache.Append(fill, content.data(), 7000) == shm::AppendResult::kAppended);
      if (damage) cache.data(0)[0] ^= 1;
      cache.file().header().epoch.store(99);
    }
    Cache cache({});
    Open(cache, Supervisor(file.path(), 16));
    uint32_t fill, watermark;
    CHECK(cache.ClaimFill(KeyOf(16), length, false, &fill, &watermark) == shm::Claim::kFilling);
    CHECK_EQUAL(watermark, damage ? 0 : 7000);
    CHECK_EQUAL(cache.Stats().checksumFailures, damage ? 1 : 0);
    CHECK(cache.Append(fill, content.data() + watermark, length - watermark) == shm::AppendResult::kComplete);
    CHECK_EQUAL(Read(cache, 16), length);
    CHECK_EQUAL(cache.Scrub(1 << 30), length);
    CHECK_EQUAL(cache.Stats().checksumFailures, damage ? 1 : 0);
  }
}

void TestHostileFiles() {
  TemporaryFile file("hostile");
  const char* path = file.path().c_str();
  const auto write = [&](const void* bytes, size_t length, size_t size) {
    unlink(path);
    const int fd = open(path, O_RDWR | O_CREAT, 0600);
    CHECK(::write(fd, bytes, length) == static_cast<ssize_t>(length));
    CHECK(ftruncate(fd, static_cast<off_t>(size)) == 0);
    close(fd);
  };
  CHECK(TryOpen(Worker(file.path())).kind == shm::Status::kSystem);
  write("not a cache", 11, 11);
  CHECK(TryOpen(Supervisor(file.path(), 4)).kind == shm::Status::kForeign);
  write("not a cache", 11, 100000);
  CHECK(TryOpen(Supervisor(file.path(), 4)).kind == shm::Status::kForeign);
  CHECK(TryOpen(Worker(file.path())).kind == shm::Status::kForeign);
  write("", 0, 10 << 20);
  CHECK(TryOpen(Supervisor(file.path(), 4)).kind == shm::Status::kForeign);
  // What a process leaves that died while making the file.
  for (size_t size : {size_t{0}, size_t{4096}, size_t{2} << 20}) {
    write("", 0, size);
    CHECK(TryOpen(Supervisor(file.path(), 4)).ok());
  }
  unlink(path);
  CHECK(mkdir(path, 0700) == 0);
  CHECK(TryOpen(Supervisor(file.path(), 4)).kind == shm::Status::kSystem);
  CHECK(rmdir(path) == 0);
  CHECK(mkfifo(path, 0600) == 0);
  CHECK(TryOpen(Supervisor(file.path(), 4)).kind == shm::Status::kForeign);
  unlink(path);
  CHECK(TryOpen(Supervisor("/nonexistent/cache", 4)).kind == shm::Status::kSystem);
  CHECK(TryOpen(Supervisor(file.path(), 0)).kind == shm::Status::kArgument);
  CHECK(access(path, F_OK) != 0);
  // More than the filesystem has.
  CHECK(TryOpen(Supervisor(file.path(), 2000000)).kind == shm::Status::kSpace);
  CHECK(access(path, F_OK) != 0);

  const auto make = [&] {
    Cache cache({});
    Open(cache, Supervisor(file.path(), 4));
    CHECK(Fill(cache, 1));
  };
  const auto expectNew = [&](uint32_t slots) {
    CHECK(TryOpen(Worker(file.path())).kind == shm::Status::kDamaged);
    Cache cache({});
    Open(cache, Supervisor(file.path(), slots));
    CHECK(!cache.file().created().empty());
    CHECK_EQUAL(Read(cache, 1), shm::kAbsent);
    CHECK(Fill(cache, 1));
  };
  // Cut off anywhere.
  struct stat info;
  unlink(path);
  make();
  CHECK(stat(path, &info) == 0);
  for (off_t size : {off_t{100}, off_t{4095}, off_t{4096}, off_t{100000}, info.st_size - 1}) {
    CHECK(truncate(path, size) == 0);
    expectNew(4);
  }
  // Every bit of what the header says once and for all.
  for (size_t byte = 0; byte < offsetof(shm::FileHeader, state) + 4; byte++) {
    const int fd = open(path, O_RDWR);
    uint8_t value;
    CHECK(pread(fd, &value, 1, static_cast<off_t>(byte)) == 1);
    value ^= static_cast<uint8_t>(1 << byte % 8);
    CHECK(pwrite(fd, &value, 1, static_cast<off_t>(byte)) == 1);
    close(fd);
    const bool foreign = byte < sizeof shm::kMagic;
    CHECK(TryOpen(Worker(file.path())).kind == (foreign ? shm::Status::kForeign : shm::Status::kDamaged));
    if (foreign) {
      CHECK(TryOpen(Supervisor(file.path(), 4)).kind == shm::Status::kForeign);
      unlink(path);
      make();
    } else {
      expectNew(4);
    }
  }
  // Another size is a new file that takes along what fits, unless the size that is there will do.
  {
    shm::OpenOptions keep = Supervisor(file.path(), 8);
    keep.keepSize = true;
    Cache cache({});
    Open(cache, keep);
    CHECK_EQUAL(cache.file().geometry().slotCount, 4);
    CHECK_EQUAL(Read(cache, 1), LengthOf(1));
  }
  Cache cache({});
  Open(cache, Supervisor(file.path(), 8));
  CHECK_EQUAL(cache.file().geometry().slotCount, 8);
  CHECK_EQUAL(Read(cache, 1), LengthOf(1));
}

void TestTwoSupervisors() {
  TemporaryFile file("two");
  auto first = std::make_unique<Cache>(CacheOptions{});
  Open(*first, Supervisor(file.path(), 4));
  CHECK(Fill(*first, 1));
  const shm::Status refused = TryOpen(Supervisor(file.path(), 4));
  CHECK(refused.kind == shm::Status::kHeld);
  CHECK(refused.message.find("pid " + std::to_string(getpid())) != std::string::npos);
  CHECK(refused.message.find("started at 20") != std::string::npos);
  CHECK(first->IsHolder());
  shm::OpenOptions over = Supervisor(file.path(), 4);
  over.takeOver = true;
  Cache second({});
  Open(second, over);
  CHECK(!second.first());
  CHECK(!first->IsHolder() && second.IsHolder());
  CHECK_EQUAL(Read(second, 1), LengthOf(1));
  CHECK(TryOpen(Supervisor(file.path(), 4)).kind == shm::Status::kHeld);
  // When the old one leaves, the new one holds the file.
  first.reset();
  CHECK(TryOpen(Supervisor(file.path(), 4)).kind == shm::Status::kHeld);
  second.Close();
  CHECK(TryOpen(Supervisor(file.path(), 4)).ok());
}

void TestStolenLock() {
  TemporaryFile file("lock");
  Cache a({}), b({});
  Open(a, Supervisor(file.path(), 16));
  CHECK(Fill(a, 1));
  shm::Stripe stripe = StripeAt(a, a.processes(), 0);
  // Held by a process that is gone, or by bits that flipped: repaired and taken.
  for (uint32_t word : {shm::ProcessId{9, 3}.Pack(), 0x80000000u, 0xffffffffu, 1u, a.processes().self().Pack()}) {
    const uint64_t repairs = stripe.repairs();
    stripe.header().lock.store(word);
    CHECK_EQUAL(Read(a, 1), LengthOf(1));
    CHECK_EQUAL(stripe.repairs(), repairs + 1);
    CheckInvariants(a);
  }
  // Held by a living process that does not go on: a miss, in bounded time, at first after a wait and then at once.
  Open(b, Worker(file.path()));
  stripe.header().lock.store(b.processes().self().Pack());
  uint64_t start = shm::MonotonicMs();
  CHECK_EQUAL(Read(a, 1), shm::kAbsent);
  CHECK(shm::MonotonicMs() - start < 2000);
  start = shm::MonotonicMs();
  for (int i = 0; i < 100; i++) CHECK_EQUAL(Read(a, 1), shm::kAbsent);
  CHECK(shm::MonotonicMs() - start < 100);
  uint32_t fill, watermark;
  CHECK(a.ClaimFill(KeyOf(2), 10, false, &fill, &watermark) == shm::Claim::kFull);
  shm::UnlockWord(&stripe.header().lock);
  CHECK_EQUAL(Read(a, 1), LengthOf(1));
}

void TestFillEndsLater() {
  // The last byte comes while a stopped process holds the stripe: the fill ends as soon as it can.
  TemporaryFile file("later");
  Cache a({}), b({});
  Open(a, Supervisor(file.path(), 16));
  Open(b, Worker(file.path()));
  uint32_t fill, watermark;
  const std::vector<uint8_t> content = ContentOf(1, 0, LengthOf(1));
  CHECK(a.ClaimFill(KeyOf(1), LengthOf(1), false, &fill, &watermark) == shm::Claim::kFilling);
  shm::Stripe stripe = StripeAt(a, a.processes(), 0);
  stripe.header().lock.store(b.processes().self().Pack());
  CHECK(a.Append(fill, content.data(), content.size()) == shm::AppendResult::kComplete);
  CHECK_EQUAL(stripe.header().filling.load(), 1);
  shm::UnlockWord(&stripe.header().lock);
  a.Reap();
  CHECK_EQUAL(stripe.header().filling.load(), 0);
  CHECK_EQUAL(Read(b, 1), LengthOf(1));
  CheckInvariants(a);
}

void TestDamagedHeaders() {
  TemporaryFile file("headers");
  Cache a({}), b({});
  Open(a, Supervisor(file.path(), 16));
  Open(b, Worker(file.path()));
  shm::Stripe stripe = StripeAt(a, a.processes(), 0);
  // A slot that says it holds another block is not believed, even when the index is made anew from it.
  CHECK(Fill(a, 1));
  const uint32_t slot = stripe.Find(KeyOf(1), shm::HashKey(KeyOf(1), a.file().header().seed));
  stripe.slot(slot).key = KeyOf(77);
  stripe.Repair();
  CHECK_EQUAL(Read(a, 77), shm::kAbsent);
  CHECK(Fill(a, 1));
  CheckInvariants(a);
  // Counts that can't be are put right, so that they neither stop fills nor evictions.
  stripe.header().filling.store(1000);
  CHECK_EQUAL(Read(a, 1), LengthOf(1));
  CHECK(Fill(a, 2));
  stripe.header().freeCount.store(0);
  CHECK(Fill(a, 3));
  CHECK_EQUAL(stripe.header().freeCount.load(), 13);
  CheckInvariants(a);
  // A block whose header is damaged while it is filled is lost, but its slot is its filler's to the end.
  uint32_t fill, watermark;
  const uint32_t length = LengthOf(16);
  const std::vector<uint8_t> content = ContentOf(16, 0, length);
  CHECK(a.ClaimFill(KeyOf(16), length, false, &fill, &watermark) == shm::Claim::kFilling);
  CHECK(a.Append(fill, content.data(), 100) == shm::AppendResult::kAppended);
  const uint32_t filled = stripe.Find(KeyOf(16), shm::HashKey(KeyOf(16), a.file().header().seed));
  stripe.slot(filled).fill.fetch_xor(1);
  CHECK_EQUAL(Read(b, 16), shm::kAbsent);
  CHECK_EQUAL(b.Stats().checksumFailures, 1);
  CHECK_EQUAL(stripe.slot(filled).state.load(), shm::kDoomed);
  for (uint32_t number = 100; number < 140; number++) CHECK(Fill(b, number));
  CHECK_EQUAL(stripe.slot(filled).state.load(), shm::kDoomed);
  CHECK(a.Append(fill, content.data() + 100, length - 100) == shm::AppendResult::kComplete);
  CHECK_EQUAL(stripe.slot(filled).state.load(), shm::kFree);
  CHECK_EQUAL(Read(b, 16), shm::kAbsent);
  CheckInvariants(a);
  // An owner that is nobody, or this process but not this fill: the fill is lost, and the scrub frees the slot.
  for (const uint64_t owner : {uint64_t{0x123456789abc}, uint64_t{77} << 32 | a.processes().self().Pack()}) {
    CHECK(a.ClaimFill(KeyOf(16), length, false, &fill, &watermark) == shm::Claim::kFilling);
    CHECK(a.Append(fill, content.data() + watermark, 10) == shm::AppendResult::kAppended);
    const uint32_t owned = stripe.Find(KeyOf(16), shm::HashKey(KeyOf(16), a.file().header().seed));
    stripe.slot(owned).owner.store(owner);
    CHECK(a.Append(fill, content.data() + watermark + 10, 10) == shm::AppendResult::kEnded);
    if (owner == 0x123456789abc) {
      CHECK_EQUAL(a.Stats().filling, 1);
      a.Scrub(1 << 30);
      CHECK_EQUAL(a.Stats().filling, 0);
      CheckInvariants(a);
    }
  }
  // A process whose entry in the table is damaged writes it again before others take it for dead.
  auto* entry = reinterpret_cast<shm::ProcessEntry*>(a.file().base() + a.file().geometry().processes) +
                b.processes().self().index;
  CHECK(b.ClaimFill(KeyOf(5), 100, false, &fill, &watermark) == shm::Claim::kFilling);
  entry->identity.fetch_xor(uint64_t{1} << 40);
  b.Reap();
  CHECK(a.processes().IsAlive(b.processes().self()));
}

/**
 * Damages the file's working parts at random while it is used: no crash, no hang, no wrong byte, and it comes to
 * rights.
 */
void TestFlippedBits() {
  TemporaryFile file("flips");
  CacheOptions options;
  options.verifyAlways = true;
  Cache a(options);
  options.notesDemand = true;
  Cache b(options);
  a.EvictByDemand(true);
  Open(a, Supervisor(file.path(), 600));
  Open(b, Worker(file.path()));
  CHECK_EQUAL(a.file().geometry().stripeCount, 2);
  const shm::Geometry& g = a.file().geometry();
  Random random(3);
  for (int round = 0; round < 30000; round++) {
    Cache& cache = round % 2 == 0 ? a : b;
    const uint32_t number = random.Below(900);
    if (Read(cache, number) < LengthOf(number) && !Fill(cache, number) && random.Below(4) == 0) a.Reap();
    if (round % 64 == 0) cache.EvictAhead(20, {2, 0, 0});
    if (round % 97 == 0) cache.Scrub(200000);
    if (round % 7 != 0) continue;
    const uint64_t from[] = {g.processes, g.stripes, g.buckets, g.links, g.slots, g.slots, g.history, g.data};
    const uint64_t to[] = {g.generations, g.buckets, g.links, g.slots, g.history, g.history, g.data, g.fileSize};
    const uint32_t part = random.Below(8);
    uint8_t* at = a.file().base() + from[part] + random.Next() % (to[part] - from[part]);
    // One bit, or a word of anything.
    if (random.Below(4) != 0) {
      *at ^= static_cast<uint8_t>(1 << random.Below(8));
    } else {
      const uint32_t word = random.Below(2) == 0 ? static_cast<uint32_t>(random.Next()) : random.Below(300);
      std::memcpy(at - reinterpret_cast<uintptr_t>(at) % 4, &word, sizeof word);
    }
  }
  a.Reap();
  b.Reap();
  // Whatever was damaged is found by a walk over everything.
  for (uint32_t number = 0; number < 900; number++) Read(a, number);
  while (a.Stats().filling != 0) a.Scrub(uint64_t{1} << 40);
  for (uint32_t index = 0; index < g.stripeCount; index++) StripeAt(a, a.processes(), index).Repair();
  CheckInvariants(a);
  uint32_t whole = 0;
  for (uint32_t number = 0; number < 400; number++) whole += Fill(a, number) || Read(a, number) == LengthOf(number);
  CHECK_EQUAL(whole, 400);
}

}  // namespace

int main() {
  TestCleanAndUncleanStops();
  TestPartialAfterUncleanStop();
  TestHostileFiles();
  TestTwoSupervisors();
  TestStolenLock();
  TestFillEndsLater();
  TestDamagedHeaders();
  TestFlippedBits();
  std::printf("recovery tests passed\n");
  return 0;
}
