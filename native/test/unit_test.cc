// Unit tests of the core, in one process; several caches on one file stand for several processes.

#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>

#include "../shm_crc.h"
#include "../shm_doorbell.h"
#include "../shm_lock.h"
#include "../shm_stats.h"
#include "support.h"

using namespace test;
using shm::Cache;
using shm::CacheOptions;

namespace {

void TestCrc() {
  // RFC 3720 appendix B.4.
  uint8_t bytes[32];
  std::memset(bytes, 0, sizeof bytes);
  CHECK_EQUAL(shm::Crc32c(0, bytes, 32), 0x8a9136aau);
  std::memset(bytes, 0xff, sizeof bytes);
  CHECK_EQUAL(shm::Crc32c(0, bytes, 32), 0x62a8ab43u);
  for (int i = 0; i < 32; i++) bytes[i] = static_cast<uint8_t>(i);
  CHECK_EQUAL(shm::Crc32c(0, bytes, 32), 0x46dd794eu);
  for (int i = 0; i < 32; i++) bytes[i] = static_cast<uint8_t>(31 - i);
  CHECK_EQUAL(shm::Crc32c(0, bytes, 32), 0x113fdb5cu);
  CHECK_EQUAL(shm::Crc32c(0, "123456789", 9), 0xe3069283u);
  // Both ways agree, whatever the length, the alignment and the cut.
  Random random(1);
  std::vector<uint8_t> data(40000);
  for (auto& byte : data) byte = static_cast<uint8_t>(random.Next());
  for (int i = 0; i < 300; i++) {
    const uint32_t from = random.Below(64);
    const uint32_t length = random.Below(39000);
    const uint32_t cut = length == 0 ? 0 : random.Below(length);
    const uint32_t whole = shm::Crc32cPortable(0, data.data() + from, length);
    CHECK_EQUAL(shm::Crc32c(0, data.data() + from, length), whole);
    CHECK_EQUAL(shm::Crc32c(shm::Crc32c(0, data.data() + from, cut), data.data() + from + cut, length - cut), whole);
  }
}

void TestGeometry() {
  shm::Geometry g;
  CHECK(!shm::MakeGeometry(0, &g));
  CHECK(!shm::MakeGeometry(shm::kBlockSize - 1, &g));
  CHECK(!shm::MakeGeometry(shm::kMaxBytes + 1, &g));
  for (uint64_t bytes : {uint64_t{shm::kBlockSize}, uint64_t{64} << 20, (uint64_t{1} << 30) + 12345, uint64_t{100} << 30, shm::kMaxBytes}) {
    CHECK(shm::MakeGeometry(bytes, &g));
    CHECK(uint64_t{g.slotCount} * shm::kBlockSize <= bytes);
    CHECK(bytes - uint64_t{g.slotCount} * shm::kBlockSize < uint64_t{g.stripeCount} * shm::kBlockSize);
    CHECK_EQUAL(g.stripeCount & (g.stripeCount - 1), 0);
    CHECK_EQUAL(g.slotsPerStripe * g.stripeCount, g.slotCount);
    CHECK_EQUAL(g.data % shm::kDataAlignment, 0);
    CHECK(g.slots + uint64_t{g.slotCount} * sizeof(shm::SlotHeader) <= g.data);
    CHECK(g.fileSize - uint64_t{g.slotCount} * shm::kBlockSize <= bytes / 500 + 3 * shm::kDataAlignment);
    shm::Geometry again;
    CHECK(shm::MakeGeometry(uint64_t{g.slotCount} * shm::kBlockSize, &again));
    CHECK(std::memcmp(&g, &again, sizeof g) == 0);
  }
}

void TestFillWord() {
  Random random(2);
  for (int i = 0; i < 50; i++) {
    const uint32_t slot = random.Below(100000);
    const shm::FillWord fill = {random.Below(shm::kBlockSize + 1), static_cast<uint32_t>(random.Next())};
    const uint64_t word = fill.Encode(slot);
    shm::FillWord found;
    CHECK(shm::FillWord::Decode(word, slot, &found));
    CHECK_EQUAL(found.watermark, fill.watermark);
    CHECK_EQUAL(found.crc, fill.crc);
    // No one or two flipped bits pass.
    for (int a = 0; a < 64; a++) {
      for (int b = a; b < 64; b++) {
        const uint64_t damaged = word ^ uint64_t{1} << a ^ (a == b ? 0 : uint64_t{1} << b);
        CHECK(!shm::FillWord::Decode(damaged, slot, &found));
      }
    }
  }
  shm::FillWord found;
  CHECK(!shm::FillWord::Decode(0, 0, &found));
  CHECK(!shm::FillWord::Decode((shm::FillWord{shm::kBlockSize + 1, 5}).Encode(3), 3, &found));
}

void TestFillAndRead() {
  TemporaryFile file("fill");
  Cache a({}), b({});
  Open(a, Supervisor(file.path(), 16));
  Open(b, Worker(file.path()));
  CHECK(a.first() && !b.first());
  CHECK_EQUAL(b.Acquire(KeyOf(32), true), shm::kAbsent);
  uint32_t fill, watermark, other;
  const uint32_t length = LengthOf(32);
  CHECK(a.ClaimFill(KeyOf(32), length, false, &fill, &watermark) == shm::Claim::kFilling);
  CHECK_EQUAL(watermark, 0);
  CHECK(b.ClaimFill(KeyOf(32), length, false, &other, &watermark) == shm::Claim::kFollowing);
  CHECK(a.ClaimFill(KeyOf(32), length, false, &other, &watermark) == shm::Claim::kFollowing);
  CHECK(b.Watch(KeyOf(32), 0));
  const std::vector<uint8_t> content = ContentOf(32, 0, length);
  CHECK(a.Append(fill, content.data(), 1000) == shm::AppendResult::kAppended);
  uint64_t classes[shm::kMailClasses / 64];
  CHECK(b.FetchMail(classes));
  const uint32_t mailClass = shm::MailClass(KeyOf(32));
  CHECK_EQUAL(classes[mailClass / 64], uint64_t{1} << mailClass % 64);
  CHECK(!b.FetchMail(classes));
  CHECK_EQUAL(Read(b, 32), 1000);
  CHECK(!b.Watch(KeyOf(32), 999));
  CHECK(b.Watch(KeyOf(32), 1000));
  CHECK(!b.Has(KeyOf(32)));
  CHECK(a.Append(fill, content.data(), length) == shm::AppendResult::kTooLong);
  CHECK(a.Append(fill, content.data() + 1000, length - 1000) == shm::AppendResult::kComplete);
  CHECK(a.Append(fill, content.data(), 1) == shm::AppendResult::kEnded);
  CHECK(b.FetchMail(classes));
  CHECK(!b.Watch(KeyOf(32), 1000));
  CHECK(b.Has(KeyOf(32)));
  CHECK_EQUAL(Read(b, 32), length);
  CHECK(b.ClaimFill(KeyOf(32), length, false, &other, &watermark) == shm::Claim::kPresent);
  CHECK(b.ClaimFill(KeyOf(33), 0, false, &other, &watermark) == shm::Claim::kFull);
  CHECK(b.ClaimFill(KeyOf(33), shm::kBlockSize + 1, false, &other, &watermark) == shm::Claim::kFull);
  CheckInvariants(a);
}

void TestAbandon() {
  TemporaryFile file("abandon");
  Cache a({}), b({});
  Open(a, Supervisor(file.path(), 16));
  Open(b, Worker(file.path()));
  uint32_t fill, watermark;
  const uint32_t length = LengthOf(48);
  const std::vector<uint8_t> content = ContentOf(48, 0, length);
  CHECK(a.ClaimFill(KeyOf(48), length, false, &fill, &watermark) == shm::Claim::kFilling);
  CHECK(a.Append(fill, content.data(), 5000) == shm::AppendResult::kAppended);
  CHECK(b.Watch(KeyOf(48), 5000));
  a.Abandon(fill, false);
  uint64_t classes[shm::kMailClasses / 64];
  CHECK(b.FetchMail(classes));
  CHECK(!b.Watch(KeyOf(48), 5000));
  CHECK_EQUAL(Read(b, 48), 5000);
  CheckInvariants(a);
  // The next filler goes on, and the checksum of both parts together is right.
  CHECK(b.ClaimFill(KeyOf(48), length, false, &fill, &watermark) == shm::Claim::kFilling);
  CHECK_EQUAL(watermark, 5000);
  CHECK(b.Append(fill, content.data() + 5000, 1) == shm::AppendResult::kAppended);
  b.Abandon(fill, true);
  CHECK_EQUAL(Read(a, 48), shm::kAbsent);
  CHECK(b.ClaimFill(KeyOf(48), length, false, &fill, &watermark) == shm::Claim::kFilling);
  CHECK_EQUAL(watermark, 0);
  // Given up before the first byte: nothing is left.
  b.Abandon(fill, false);
  CHECK_EQUAL(Read(a, 48), shm::kAbsent);
  CHECK(Fill(b, 48));
  CHECK_EQUAL(a.Scrub(1 << 30), length);
  CHECK_EQUAL(a.Stats().checksumFailures, 0);
  // Another length means another object: the old block gives way.
  CHECK(b.ClaimFill(KeyOf(48), length - 1, false, &fill, &watermark) == shm::Claim::kFilling);
  CHECK_EQUAL(watermark, 0);
  CheckInvariants(a);
}

void TestLruOrder() {
  TemporaryFile file("lru");
  Cache cache({});
  Open(cache, Supervisor(file.path(), 8));
  for (uint32_t number = 0; number < 8; number++) CHECK(Fill(cache, number));
  CHECK(Read(cache, 0) > 0);
  CHECK(Read(cache, 2) > 0);
  // Evicted strictly in the order of last use: 1, 3, 4 ..., 7, 0, 2.
  const uint32_t order[] = {1, 3, 4, 5, 6, 7, 0, 2};
  for (uint32_t i = 0; i < 8; i++) {
    CHECK(Fill(cache, 100 + i));
    CHECK(!cache.Has(KeyOf(order[i])));
    for (uint32_t j = i + 1; j < 8; j++) CHECK(cache.Has(KeyOf(order[j])));
  }
  CHECK_EQUAL(cache.Stats().dropped, 8);
  CHECK_EQUAL(cache.Stats().evictedToDisk, 0);
  CheckInvariants(cache);
}

void TestPinsHoldBlocks() {
  TemporaryFile file("pins");
  Cache a({1000}), b({1000}), c({1000});
  Open(a, Supervisor(file.path(), 2));
  Open(b, Worker(file.path()));
  Open(c, Worker(file.path()));
  CHECK(Fill(a, 1));
  CHECK(Fill(a, 2));
  CHECK(b.Acquire(KeyOf(1), true) > 0);
  const uint8_t* view = b.data(b.pinnedSlot());
  // The coldest is pinned: the other one goes, however often.
  for (uint32_t number = 10; number < 20; number++) CHECK(Fill(a, number));
  CHECK(IsContent(1, 0, view, LengthOf(1)));
  CHECK(a.Has(KeyOf(1)));
  CHECK(c.Acquire(KeyOf(19), true) > 0);
  uint32_t fill, watermark;
  CHECK(a.ClaimFill(KeyOf(30), 10, false, &fill, &watermark) == shm::Claim::kFull);
  CHECK_EQUAL(a.Stats().pinned, 2);
  c.Release();
  CHECK(Fill(a, 30));
  // A block that is thrown away while it is pinned is not used again before it is released.
  CHECK(a.ClaimFill(KeyOf(1), LengthOf(1) + 1, false, &fill, &watermark) == shm::Claim::kFilling);
  CHECK(IsContent(1, 0, view, LengthOf(1)));
  a.Abandon(fill, true);
  b.Release();
  CheckInvariants(a);
}

void TestFillShare() {
  TemporaryFile file("share");
  Cache cache({250});
  Open(cache, Supervisor(file.path(), 16));
  uint32_t fill, watermark, first;
  for (uint32_t number = 0; number < 4; number++) {
    CHECK(cache.ClaimFill(KeyOf(number), 100, false, &fill, &watermark) == shm::Claim::kFilling);
    if (number == 0) first = fill;
  }
  CHECK(cache.ClaimFill(KeyOf(9), 100, false, &fill, &watermark) == shm::Claim::kFull);
  CHECK_EQUAL(cache.Stats().filling, 4);
  cache.Abandon(first, false);
  CHECK(cache.ClaimFill(KeyOf(9), 100, false, &fill, &watermark) == shm::Claim::kFilling);
}

void TestStalledFill() {
  TemporaryFile file("stalled");
  Cache a({250, 30}), b({250, 30});
  Open(a, Supervisor(file.path(), 16));
  Open(b, Worker(file.path()));
  uint32_t fill, watermark, other;
  CHECK(a.ClaimFill(KeyOf(1), 100, false, &fill, &watermark) == shm::Claim::kFilling);
  CHECK(b.Watch(KeyOf(1), 0));
  usleep(50000);
  CHECK(!b.Watch(KeyOf(1), 0));
  CHECK(b.ClaimFill(KeyOf(1), 100, false, &other, &watermark) == shm::Claim::kFull);
  const std::vector<uint8_t> content = ContentOf(1, 0, 100);
  CHECK(a.Append(fill, content.data(), 10) == shm::AppendResult::kAppended);
  CHECK(b.ClaimFill(KeyOf(1), 100, false, &other, &watermark) == shm::Claim::kFollowing);
}

void TestEvictionAhead() {
  TemporaryFile file("ahead");
  Cache cache({});
  Open(cache, Supervisor(file.path(), 100));
  for (uint32_t number = 0; number < 100; number++) CHECK(Fill(cache, number));
  // 5 and 7 are seen twice.
  for (int view = 0; view < 2; view++) {
    for (uint32_t number = 0; number < 100; number++) {
      if (view == 0 || number == 5 || number == 7) Read(cache, number);
    }
  }
  for (uint32_t number = 0; number < 100; number++) {
    if (number != 5 && number != 7) Read(cache, number);
  }
  // Reading without a view touches, and leaves the count alone.
  for (uint32_t number = 8; number < 100; number++) {
    CHECK(cache.Acquire(KeyOf(number), false) > 0);
    cache.Release();
  }
  // The coldest are now 5, 7, 0, 1, 2, 3, 4, 6.
  const std::vector<shm::BlockName> all = cache.Coldest(50, 0, 100);
  CHECK_EQUAL(all.size(), 10);
  CHECK(all[0].key == KeyOf(5) && all[1].key == KeyOf(7) && all[2].key == KeyOf(0));
  CHECK_EQUAL(all[0].length, LengthOf(5));
  CHECK_EQUAL(cache.Coldest(50, 2, 3).size(), 3);
  CHECK_EQUAL(cache.Coldest(50, 3, 100).size(), 0);
  std::vector<uint8_t> copy(shm::kBlockSize);
  CHECK_EQUAL(cache.Copy(KeyOf(5), copy.data(), copy.size()), LengthOf(5));
  CHECK(IsContent(5, 0, copy.data(), LengthOf(5)));
  CHECK_EQUAL(cache.Copy(KeyOf(5), copy.data(), LengthOf(5) - 1), shm::kAbsent);
  CHECK_EQUAL(cache.Copy(KeyOf(5000), copy.data(), copy.size()), shm::kAbsent);
  CHECK(cache.MarkOnDisk(KeyOf(5), true));
  CHECK(!cache.MarkOnDisk(KeyOf(5000), true));
  CHECK_EQUAL(cache.Coldest(50, 0, 100).size(), 9);
  // Those that are wanted on disk wait: of the ten coldest only 5 may go.
  CHECK_EQUAL(cache.EvictAhead(50, 2), 1);
  CHECK(!cache.Has(KeyOf(5)) && cache.Has(KeyOf(7)));
  CHECK_EQUAL(cache.Stats().evictedToDisk, 1);
  // Without a disk tier all may go, until enough is free.
  CHECK_EQUAL(cache.EvictAhead(50, 0xffffffff), 4);
  CHECK_EQUAL(cache.Stats().dropped, 4);
  CHECK(!cache.Has(KeyOf(7)) && !cache.Has(KeyOf(0)) && !cache.Has(KeyOf(1)) && !cache.Has(KeyOf(2)) && cache.Has(KeyOf(3)));
  CHECK_EQUAL(cache.EvictAhead(50, 0xffffffff), 0);
  CheckInvariants(cache);
}

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
    CHECK(Fill(cache, 1) && Fill(cache, 2) && Fill(cache, 3) && Fill(cache, 4) && Fill(cache, 5) && Fill(cache, 6) && Fill(cache, 7));
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

shm::Status TryOpen(const shm::OpenOptions& options) {
  Cache cache({});
  return cache.Open(options);
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
  // Another size is a new cache, unless the size that is there will do.
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
  CHECK_EQUAL(Read(cache, 1), shm::kAbsent);
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
  auto* entry = reinterpret_cast<shm::ProcessEntry*>(a.file().base() + a.file().geometry().processes) + b.processes().self().index;
  CHECK(b.ClaimFill(KeyOf(5), 100, false, &fill, &watermark) == shm::Claim::kFilling);
  entry->identity.fetch_xor(uint64_t{1} << 40);
  b.Reap();
  CHECK(a.processes().IsAlive(b.processes().self()));
}

/** Damages the file's working parts at random while it is used: no crash, no hang, no wrong byte, and it comes to rights. */
void TestFlippedBits() {
  TemporaryFile file("flips");
  CacheOptions options;
  options.verifyAlways = true;
  Cache a(options), b(options);
  Open(a, Supervisor(file.path(), 600));
  Open(b, Worker(file.path()));
  CHECK_EQUAL(a.file().geometry().stripeCount, 2);
  const shm::Geometry& g = a.file().geometry();
  Random random(3);
  for (int round = 0; round < 30000; round++) {
    Cache& cache = round % 2 == 0 ? a : b;
    const uint32_t number = random.Below(900);
    if (Read(cache, number) < LengthOf(number) && !Fill(cache, number) && random.Below(4) == 0) a.Reap();
    if (round % 64 == 0) cache.EvictAhead(20, 2);
    if (round % 97 == 0) cache.Scrub(200000);
    if (round % 7 != 0) continue;
    const uint64_t from[] = {g.processes, g.stripes, g.buckets, g.links, g.slots, g.slots, g.data};
    const uint64_t to[] = {g.generations, g.buckets, g.links, g.slots, g.data, g.data, g.fileSize};
    const uint32_t part = random.Below(7);
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

void TestInspect() {
  TemporaryFile file("inspect");
  shm::Inspection found;
  CHECK(shm::Inspect(file.path(), &found).kind == shm::Status::kSystem);
  {
    Cache a({}), b({});
    Open(a, Supervisor(file.path(), 300));
    Open(b, Worker(file.path()));
    for (uint32_t number = 0; number < 20; number++) CHECK(Fill(a, number));
    Read(b, 3);
    Read(b, 100);
    uint32_t fill, watermark;
    CHECK(a.ClaimFill(KeyOf(50), 100, false, &fill, &watermark) == shm::Claim::kFilling);
    CHECK(a.Append(fill, ContentOf(50, 0, 10).data(), 10) == shm::AppendResult::kAppended);
    CHECK(a.MarkOnDisk(KeyOf(4), true));
    CHECK(shm::Inspect(file.path(), &found).ok());
    const shm::CacheStats stats = a.Stats();
    CHECK_EQUAL(found.stats.capacity, 300);
    CHECK_EQUAL(found.stats.used, 21);
    CHECK_EQUAL(stats.used, 21);
    CHECK_EQUAL(found.stats.filling, 1);
    CHECK_EQUAL(found.stats.processes, 2);
    CHECK_EQUAL(found.stats.hits, 1);
    CHECK_EQUAL(found.stats.misses, 1);
    CHECK_EQUAL(found.stats.oldestUse, stats.oldestUse);
    CHECK(stats.oldestUse > 0);
    CHECK_EQUAL(found.whole, 20);
    CHECK_EQUAL(found.partial, 1);
    CHECK_EQUAL(found.onDisk, 1);
    CHECK_EQUAL(found.objects, 21);
    CHECK_EQUAL(found.attached.size(), 2);
    CHECK_EQUAL(found.attached[0].pid, getpid());
    CHECK(!found.clean);
  }
  shm::Inspection later;
  CHECK(shm::Inspect(file.path(), &later).ok());
  CHECK(later.clean);
  CHECK_EQUAL(later.stats.processes, 0);
  CHECK_EQUAL(later.stats.used, 21);
}

void TestGenerations() {
  TemporaryFile file("generations");
  {
    Cache cache({});
    Open(cache, Supervisor(file.path(), 4));
    cache.generations()[77]++;
  }
  Cache cache({});
  Open(cache, Supervisor(file.path(), 4));
  CHECK_EQUAL(cache.generations()[77].load(), 1);
  CHECK_EQUAL(cache.generations()[76].load(), 0);
}

void TestDoorbell() {
  TemporaryFile file("doorbell");
  Cache a({}), b({});
  Open(a, Supervisor(file.path(), 4));
  Open(b, Worker(file.path()));
  std::atomic<uint32_t> rings{0};
  shm::DoorbellThread thread;
  thread.Start(b.processes().doorbell(), [&] {
    rings++;
    shm::FutexWake(&rings, 1);
  });
  uint64_t classes[shm::kMailClasses / 64];
  for (uint32_t round = 0; round < 20; round++) {
    // Several letters, one ring.
    a.processes().Ring(b.processes().selfBit(), round);
    a.processes().Ring(b.processes().selfBit(), round + 1000);
    while (rings == round) shm::FutexWait(&rings, round, 1000);
    // The second letter may come after the ring; it does not ring again until the mail is fetched.
    CHECK_EQUAL(rings.load(), round + 1);
    CHECK(b.FetchMail(classes));
    CHECK_EQUAL(classes[round / 64] >> round % 64 & 1, 1);
    CHECK_EQUAL(classes[(round + 1000) / 64] >> (round + 1000) % 64 & 1, 1);
    thread.Fetched();
  }
  thread.Stop();
}

/** A follower that begins to wait at the very moment of an append is woken all the same. */
void TestNoWakeIsLost() {
  TemporaryFile file("wakes");
  constexpr uint32_t kRounds = 20000;
  Cache filler({});
  Open(filler, Supervisor(file.path(), 4));
  Cache follower({});
  CHECK(follower.OpenBeside(filler).ok());
  uint32_t fill, watermark;
  CHECK(filler.ClaimFill(KeyOf(1), kRounds + 1, false, &fill, &watermark) == shm::Claim::kFilling);
  std::atomic<uint32_t> started{0};
  std::thread thread([&] {
    std::atomic<uint32_t>* doorbell = follower.processes().doorbell();
    uint64_t classes[shm::kMailClasses / 64];
    for (uint32_t seen = 0; seen < kRounds; seen++) {
      started.store(seen + 1);
      while (follower.Watch(KeyOf(1), seen)) {
        const uint64_t start = shm::MonotonicMs();
        while (doorbell->load() == 0) {
          shm::FutexWait(doorbell, 0, 3000);
          CHECK(doorbell->load() != 0 || shm::MonotonicMs() - start < 2500);
        }
        follower.FetchMail(classes);
      }
    }
  });
  for (uint32_t round = 0; round < kRounds; round++) {
    while (started.load() <= round) {
    }
    const uint8_t byte = 0;
    CHECK(filler.Append(fill, &byte, 1) == shm::AppendResult::kAppended);
  }
  thread.join();
}

void TestManyProcesses() {
  TemporaryFile file("many");
  rlimit files;
  CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::vector<std::unique_ptr<Cache>> caches;
  for (uint32_t i = 0; i < shm::kProcesses; i++) {
    caches.push_back(std::make_unique<Cache>(CacheOptions{}));
    if (i == 0) {
      Open(*caches[0], Supervisor(file.path(), 4));
    } else {
      CHECK(caches[i]->OpenBeside(*caches[0]).ok());
    }
  }
  CHECK(TryOpen(Worker(file.path())).kind == shm::Status::kHeld);
  // All of them can pin, wait and be woken, those that share a bit too.
  Cache& last = *caches.back();
  CHECK(Fill(*caches[0], 1));
  CHECK(last.Acquire(KeyOf(1), true) > 0);
  const uint8_t* view = last.data(last.pinnedSlot());
  for (uint32_t number = 10; number < 20; number++) CHECK(Fill(*caches[3], number));
  CHECK(IsContent(1, 0, view, LengthOf(1)));
  last.Release();
  uint32_t fill, watermark;
  CHECK(caches[0]->ClaimFill(KeyOf(2), 100, false, &fill, &watermark) == shm::Claim::kFilling);
  for (uint32_t i : {64u, 128u, 5u}) CHECK(caches[i]->Watch(KeyOf(2), 0));
  CHECK(caches[0]->Append(fill, ContentOf(2, 0, 10).data(), 10) == shm::AppendResult::kAppended);
  uint64_t classes[shm::kMailClasses / 64];
  for (uint32_t i : {64u, 128u, 5u}) CHECK(caches[i]->FetchMail(classes));
  CHECK(!caches[6]->FetchMail(classes));
  while (caches.size() > 1) caches.pop_back();
  CHECK_EQUAL(caches[0]->Stats().processes, 1);
  CHECK(TryOpen(Worker(file.path())).ok());
}

}  // namespace

int main() {
  TestCrc();
  TestGeometry();
  TestFillWord();
  TestFillAndRead();
  TestAbandon();
  TestLruOrder();
  TestPinsHoldBlocks();
  TestFillShare();
  TestStalledFill();
  TestEvictionAhead();
  TestCleanAndUncleanStops();
  TestPartialAfterUncleanStop();
  TestHostileFiles();
  TestTwoSupervisors();
  TestStolenLock();
  TestFillEndsLater();
  TestDamagedHeaders();
  TestFlippedBits();
  TestInspect();
  TestGenerations();
  TestDoorbell();
  TestNoWakeIsLost();
  TestManyProcesses();
  std::printf("unit tests passed (CRC32C by %s)\n", shm::Crc32cIsHardware() ? "instruction" : "table");
  return 0;
}
