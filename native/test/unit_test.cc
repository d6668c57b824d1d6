// Unit tests of the core, in one process; several caches on one file stand for several processes.

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <utility>

#include "../shm_crc.h"
#include "../shm_doorbell.h"
#include "../shm_gather.h"
#include "../shm_run.h"
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
  for (uint64_t bytes : {uint64_t{shm::kBlockSize}, uint64_t{64} << 20, (uint64_t{1} << 30) + 12345,
                         uint64_t{100} << 30, shm::kMaxBytes}) {
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
        const uint64_t damaged = word ^ uint64_t { 1 } << a ^ (a == b ? 0 : uint64_t{1} << b);
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
  const std::vector<shm::BlockName> all = cache.Coldest(50, {0, 0, 0}, 100);
  CHECK_EQUAL(all.size(), 10);
  CHECK(all[0].key == KeyOf(5) && all[1].key == KeyOf(7) && all[2].key == KeyOf(0));
  CHECK_EQUAL(all[0].length, LengthOf(5));
  CHECK_EQUAL(cache.Coldest(50, {2, 0, 0}, 3).size(), 3);
  CHECK_EQUAL(cache.Coldest(50, {3, 0, 0}, 100).size(), 0);
  std::vector<uint8_t> copy(shm::kBlockSize);
  CHECK_EQUAL(cache.Copy(KeyOf(5), copy.data(), copy.size()), LengthOf(5));
  CHECK(IsContent(5, 0, copy.data(), LengthOf(5)));
  CHECK_EQUAL(cache.Copy(KeyOf(5), copy.data(), LengthOf(5) - 1), shm::kAbsent);
  CHECK_EQUAL(cache.Copy(KeyOf(5000), copy.data(), copy.size()), shm::kAbsent);
  CHECK(cache.MarkOnDisk(KeyOf(5), true));
  CHECK(!cache.MarkOnDisk(KeyOf(5000), true));
  CHECK_EQUAL(cache.Coldest(50, {0, 0, 0}, 100).size(), 9);
  // Those that are wanted on disk wait: of the ten coldest only 5 may go.
  CHECK_EQUAL(cache.EvictAhead(50, {2, 0, 0}), 1);
  CHECK(!cache.Has(KeyOf(5)) && cache.Has(KeyOf(7)));
  CHECK_EQUAL(cache.Stats().evictedToDisk, 1);
  // Without a disk tier all may go, until enough is free.
  CHECK_EQUAL(cache.EvictAhead(50, {0xffffffff, 0, 0}), 4);
  CHECK_EQUAL(cache.Stats().dropped, 4);
  CHECK(!cache.Has(KeyOf(7)) && !cache.Has(KeyOf(0)) && !cache.Has(KeyOf(1)) && !cache.Has(KeyOf(2)) &&
        cache.Has(KeyOf(3)));
  CHECK_EQUAL(cache.EvictAhead(50, {0xffffffff, 0, 0}), 0);
  CheckInvariants(cache);
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
  constexpr uint32_t kRounds = 10000;
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
    while (started.load() <= round) std::this_thread::yield();
    const uint8_t byte = 0;
    CHECK(filler.Append(fill, &byte, 1) == shm::AppendResult::kAppended);
  }
  thread.join();
}

/** Pieces of several blocks are put together until one is not there; none stays pinned, and each is viewed once. */
void TestGather() {
  TemporaryFile file("gather");
  Cache cache(CacheOptions{});
  Open(cache, Supervisor(file.path(), 8));
  const auto key = [](uint32_t block) { return shm::Key{{7, 8, 9, 10}, block}; };
  const uint32_t lengths[] = {shm::kBlockSize, shm::kBlockSize, 1000};
  for (uint32_t block = 0; block < 3; block++) {
    uint32_t fill, watermark;
    CHECK(cache.ClaimFill(key(block), lengths[block], false, &fill, &watermark) == shm::Claim::kFilling);
    // The last one stays a part.
    const std::vector<uint8_t> bytes = ContentOf(block, 0, block == 2 ? 600 : lengths[block]);
    cache.Append(fill, bytes.data(), bytes.size());
  }
  const double whole = shm::kBlockSize;
  const double offsets[] = {5, whole - 100, 2 * whole - 7, 2 * whole + 500, 5 * whole, 5 * whole + 10};
  const double sizes[] = {50, 300, 20, 200, 3, 4};
  double begins[7] = {0};
  std::vector<uint8_t> expected;
  for (uint32_t i = 0; i < 6; i++) {
    begins[i + 1] = begins[i] + sizes[i];
    for (double at = offsets[i]; at < offsets[i] + sizes[i]; at++) {
      const auto place = static_cast<uint32_t>(at);
      expected.push_back(ByteOf(place / shm::kBlockSize, place % shm::kBlockSize));
    }
  }
  const Pieces pieces = {offsets, begins, 6};
  const uint32_t(&id)[4] = key(0).id;
  // 100 bytes of the fourth piece are not there yet.
  constexpr size_t kThere = 50 + 300 + 20 + 100;
  for (size_t at = 0; at < expected.size(); at += 13) {
    for (const size_t room : {size_t{0}, size_t{1}, size_t{49}, size_t{260}, size_t{1000}}) {
      std::vector<uint8_t> target(room);
      const shm::Gathered gathered =
          shm::Gather(cache, id, pieces, static_cast<double>(at), UINT32_MAX, target.data(), room);
      CHECK_EQUAL(gathered.bytes, at >= kThere ? 0 : std::min(room, kThere - at));
      CHECK(std::equal(target.begin(), target.begin() + static_cast<ptrdiff_t>(gathered.bytes),
                       expected.begin() + static_cast<ptrdiff_t>(at)));
      CHECK(!cache.processes().hasPin());
      if (room == 1000 && at < kThere) CHECK_EQUAL(gathered.readable, 600);
    }
  }
  const uint64_t hits = cache.Stats().hits;
  std::vector<uint8_t> target(kThere);
  shm::Gather(cache, id, pieces, 0, UINT32_MAX, target.data(), target.size());
  CHECK_EQUAL(cache.Stats().hits - hits, 3);
  shm::Gather(cache, id, pieces, 0, 0, target.data(), target.size());
  CHECK_EQUAL(cache.Stats().hits - hits, 5);
  // Numbers that make no sense name no block.
  for (const double odd : {-1.0, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
    const double begin[] = {0, 10};
    CHECK_EQUAL(shm::Gather(cache, id, {&odd, begin, 1}, 0, 0, target.data(), 10).bytes, 0);
    CHECK_EQUAL(shm::Gather(cache, id, {&odd, begin, 0}, 0, 0, target.data(), 10).bytes, 0);
  }
}

/** Blocks that a run has pinned stay, and are viewed when bytes of them have been taken. */
void TestRuns() {
  TemporaryFile file("runs");
  Cache a({1000}), b({1000});
  constexpr uint32_t kSlots = shm::kPins + 4;
  Open(a, Supervisor(file.path(), kSlots));
  Open(b, Worker(file.path()));
  const auto key = [](uint32_t block) { return shm::Key{{7, 8, 9, 10}, block}; };
  // One more than a run takes, the last a part; another object's block of the same number follows none of them.
  constexpr uint32_t kBlocks = shm::kPins + 1;
  uint32_t fill, watermark;
  for (uint32_t block = 0; block < kBlocks; block++) {
    CHECK(a.ClaimFill(key(block), shm::kBlockSize, false, &fill, &watermark) == shm::Claim::kFilling);
    const std::vector<uint8_t> bytes = ContentOf(block, 0, block == kBlocks - 1 ? 600 : shm::kBlockSize);
    a.Append(fill, bytes.data(), bytes.size());
  }
  shm::Run run = {};
  const auto expect = [&](uint32_t block, uint32_t from, size_t bytes) {
    CHECK_EQUAL(run.bytes, bytes);
    size_t at = 0;
    for (uint32_t i = 0; i < run.count; i++, from = 0) {
      CHECK(IsContent(block + i, from, static_cast<const uint8_t*>(run.places[i].iov_base), run.places[i].iov_len));
      at += run.places[i].iov_len;
    }
    CHECK_EQUAL(at, bytes);
  };
  uint64_t hits = b.Stats().hits;
  shm::PinRun(b, key(0), 100, shm::kRunMax + 5, true, &run);
  expect(0, 100, shm::kRunMax - 100);
  CHECK_EQUAL(run.count, shm::kPins);
  CHECK_EQUAL(a.Stats().pinned, 1);
  CHECK_EQUAL(a.Stats().hits - hits, 1);
  // Whatever else is wanted meanwhile: it goes round them, and finds no room once all others are pinned or filled.
  for (uint32_t number = 100; number < 120; number++) CHECK(Fill(a, number));
  expect(0, 100, shm::kRunMax - 100);
  for (uint32_t block = 0; block < shm::kPins; block++) CHECK(!a.Drop(key(block)));
  // One that is replaced while it is pinned keeps its bytes, and its view is not counted.
  CHECK(a.ClaimFill(key(2), 10, false, &fill, &watermark) == shm::Claim::kFilling);
  a.Abandon(fill, true);
  for (uint32_t number = 200; number < 220; number++) CHECK(Fill(a, number));
  expect(0, 100, shm::kRunMax - 100);
  hits = b.Stats().hits;
  // The first byte of the fourth block was taken, but no more.
  shm::UnpinRun(b, 3 * shm::kBlockSize - 100 + 1, &run);
  CHECK_EQUAL(b.Stats().hits - hits, 2);
  CHECK(!b.processes().hasPin());
  CHECK_EQUAL(a.Stats().pinned, 0);
  shm::UnpinRun(b, 1, &run);
  CHECK_EQUAL(b.Stats().hits - hits, 2);
  for (uint32_t block = 3; block < shm::kPins; block++) CHECK(a.Drop(key(block)));
  // It ends where a block is missing, behind one that is not whole, and where there is enough.
  shm::PinRun(b, key(0), 0, shm::kRunMax, false, &run);
  expect(0, 0, 2 * shm::kBlockSize);
  shm::UnpinRun(b, run.bytes, &run);
  shm::PinRun(b, key(1), 5, 10, false, &run);
  expect(1, 5, 10);
  shm::UnpinRun(b, 0, &run);
  shm::PinRun(b, key(kBlocks - 1), 500, shm::kRunMax, false, &run);
  expect(kBlocks - 1, 500, 100);
  CHECK_EQUAL(run.readable, 600);
  shm::UnpinRun(b, 0, &run);
  for (const auto& [block, from] : {std::pair{2u, 0u}, {kBlocks - 1, 600u}, {0u, shm::kBlockSize}, {UINT32_MAX, 0u}}) {
    CHECK_EQUAL(shm::PinRun(b, key(block), from, shm::kRunMax, true, &run), 0);
    CHECK(!b.processes().hasPin());
  }
  CHECK_EQUAL(a.Stats().pinned, 0);
}

/** Blocks that a process had pinned for a send when it was killed are free for others. */
void TestKilledInSend() {
  TemporaryFile file("killed-in-send");
  constexpr uint32_t kSlots = shm::kPins + 1;
  const auto key = [](uint32_t block) { return shm::Key{{7, 8, 9, 10}, block}; };
  Cache cache({1000});
  Open(cache, Supervisor(file.path(), kSlots));
  for (uint32_t block = 0; block < shm::kPins; block++) {
    uint32_t fill, watermark;
    CHECK(cache.ClaimFill(key(block), shm::kBlockSize, false, &fill, &watermark) == shm::Claim::kFilling);
    const std::vector<uint8_t> bytes = ContentOf(block, 0, shm::kBlockSize);
    cache.Append(fill, bytes.data(), bytes.size());
  }
  int told[2];
  CHECK(pipe(told) == 0);
  const pid_t pid = fork();
  if (pid == 0) {
    DieWithParent();
    Cache own({});
    Open(own, Worker(file.path()));
    shm::Run run = {};
    CHECK_EQUAL(shm::PinRun(own, key(0), 0, shm::kRunMax, true, &run), shm::kRunMax);
    CHECK(write(told[1], "x", 1) == 1);
    for (;;) pause();
  }
  char byte;
  CHECK(read(told[0], &byte, 1) == 1);
  for (uint32_t number = 100; number < 110; number++) CHECK(Fill(cache, number));
  for (uint32_t block = 0; block < shm::kPins; block++) CHECK(cache.Has(key(block)));
  CHECK_EQUAL(cache.Stats().pinned, 1);
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, nullptr, 0) == pid);
  CHECK_EQUAL(cache.Stats().pinned, 0);
  for (uint32_t number = 200; number < 200 + kSlots; number++) CHECK(Fill(cache, number));
  for (uint32_t block = 0; block < shm::kPins; block++) CHECK(!cache.Has(key(block)));
  CHECK_EQUAL(cache.Reap(), 1);
  CheckInvariants(cache);
  // Whoever gets its place finds nothing pinned.
  Cache next({});
  Open(next, Worker(file.path()));
  CHECK_EQUAL(next.Stats().pinned, 0);
  close(told[0]);
  close(told[1]);
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
  TestRuns();
  TestKilledInSend();
  TestFillShare();
  TestStalledFill();
  TestEvictionAhead();
  TestInspect();
  TestGenerations();
  TestDoorbell();
  TestNoWakeIsLost();
  TestGather();
  TestManyProcesses();
  std::printf("unit tests passed (CRC32C by %s)\n", shm::Crc32cIsHardware() ? "instruction" : "table");
  return 0;
}
