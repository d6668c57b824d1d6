#include "shm_stats.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "shm_demand.h"
#include "shm_file.h"
#include "shm_process.h"

namespace shm {

void CacheStats::Add(const StripeHeader& stripe) {
  // Relaxed: the figures of one moment in each stripe, not of one moment in all.
  const auto order = std::memory_order_relaxed;
  filling += stripe.filling.load(order);
  used += stripe.ordered.load(order) + stripe.filling.load(order);
  hits += stripe.counters.hits.load(order);
  misses += stripe.counters.misses.load(order);
  evictedToDisk += stripe.counters.evictedToDisk.load(order);
  dropped += stripe.counters.dropped.load(order);
  checksumFailures += stripe.counters.checksumFailures.load(order);
  repairs += stripe.counters.repairs.load(order);
}

namespace {

/** Reads `count` records at `offset` in pieces of bounded size; false when the file ends before. */
template <typename Record, typename Visit>
bool ReadRecords(int fd, uint64_t offset, uint64_t count, Visit visit) {
  constexpr uint64_t kPiece = 4096;
  // Raw memory: records hold atomics, which are filled as the bytes they are in the file.
  const auto piece = std::make_unique<Record[]>(kPiece);
  for (uint64_t done = 0; done < count;) {
    const uint64_t want = std::min(kPiece, count - done);
    const size_t length = static_cast<size_t>(want * sizeof(Record));
    const ssize_t got =
        pread(fd, static_cast<void*>(piece.get()), length, static_cast<off_t>(offset + done * sizeof(Record)));
    if (got != static_cast<ssize_t>(length)) return false;
    for (uint64_t i = 0; i < want; i++) visit(static_cast<uint32_t>(done + i), piece[i]);
    done += want;
  }
  return true;
}

/** A cache file that is only read. */
class ReadFile {
 public:
  ReadFile() = default;
  ReadFile(const ReadFile&) = delete;
  ReadFile& operator=(const ReadFile&) = delete;
  ~ReadFile() {
    if (fd >= 0) close(fd);
  }

  Status Open(const std::string& path) {
    fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return Status::System("the cache file " + path + " can't be opened", errno);
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
      return Status::Error(Status::kForeign, "the cache file " + path + " is not a regular file");
    Status status = ReadHeader(fd, static_cast<uint64_t>(info.st_size), &header);
    if (!status.ok()) return Status::Error(status.kind, "the cache file " + path + " can't be read: " + status.message);
    return {};
  }

  /** Takes a copy of the table of demand, so that nothing in the file is touched. False when the file ends before. */
  bool TakeDemand() {
    const Geometry& g = header.geometry;
    const size_t bytes = kDemandHeaderBytes + size_t{g.objectCount} * sizeof(ObjectDemand);
    table_.resize(bytes / sizeof(uint64_t));
    if (!ReadAll(fd, table_.data(), bytes, g.demand)) return false;
    Geometry placed = g;
    placed.demand = 0;
    demand = Demand(reinterpret_cast<uint8_t*>(table_.data()), placed);
    return true;
  }

  int fd = -1;
  FileHeader header = {};
  Demand demand;

 private:
  std::vector<uint64_t> table_;
};

/** Whether what a slot says of itself is sound. */
bool IsSound(const SlotHeader& slot, uint32_t index, FillWord* fill) {
  return slot.length <= kBlockSize && IdentityCrc(slot.key, slot.length, index) == slot.identityCrc &&
         FillWord::Decode(slot.fill.load(std::memory_order_relaxed), index, fill);
}

Status Ended(const std::string& path) {
  return Status::Error(Status::kDamaged,
                       "the cache file " + path + " ended while it was read: is an edge replacing it? Try again");
}

}  // namespace

Status Inspect(const std::string& path, Inspection* inspection) {
  ReadFile file;
  const Status status = file.Open(path);
  if (!status.ok()) return status;
  const int fd = file.fd;
  const FileHeader& header = file.header;
  const Geometry& g = header.geometry;
  inspection->fileSize = g.fileSize;
  inspection->createdAt = header.createdAt;
  inspection->openedAt = header.openedAt.load(std::memory_order_relaxed);
  inspection->clean = header.clean.load(std::memory_order_relaxed) == kClean;
  CacheStats& stats = inspection->stats;
  stats.capacity = g.slotCount;

  bool complete =
      ReadRecords<ProcessEntry>(fd, g.processes, kProcesses, [&](uint32_t index, const ProcessEntry& entry) {
        const uint32_t pid = static_cast<uint32_t>(entry.identity.load(std::memory_order_relaxed));
        if (pid == 0 || !IsLockedByOther(fd, kProcessLock + index, 1)) return;
        stats.processes++;
        if (HasPins(entry)) stats.pinned++;
        inspection->attached.push_back(
            {pid, entry.role.load(std::memory_order_relaxed), entry.since.load(std::memory_order_relaxed)});
      });
  complete = complete && ReadRecords<StripeHeader>(fd, g.stripes, g.stripeCount,
                                                   [&](uint32_t, const StripeHeader& stripe) { stats.Add(stripe); });
  // Counted from the slots: after an unclean stop the stripes' counts may be behind.
  stats.used = 0;
  stats.filling = 0;
  if (!complete || !file.TakeDemand()) return Ended(path);
  const Demand& demand = file.demand;
  const Moment moment = demand.At(demand.Now());
  stats.residency = demand.Residency(moment.now);
  stats.partedWait = demand.PartedWait();
  stats.knownObjects = demand.Objects();
  std::set<std::pair<uint64_t, uint64_t>> objects;
  complete = ReadRecords<SlotHeader>(fd, g.slots, g.slotCount, [&](uint32_t index, const SlotHeader& slot) {
    if (slot.state.load(std::memory_order_relaxed) != kUsed) return;
    stats.used++;
    FillWord fill;
    if (!IsSound(slot, index, &fill)) {
      inspection->damaged++;
      return;
    }
    if (slot.owner.load(std::memory_order_relaxed) != 0) stats.filling++;
    (fill.watermark == slot.length ? inspection->whole : inspection->partial)++;
    if (slot.onDisk.load(std::memory_order_relaxed) != 0) inspection->onDisk++;
    inspection->bytes += fill.watermark;
    const Expected expected = demand.Estimate(slot.key, stats.residency, moment);
    (expected.awaited >= 0.5f                 ? inspection->awaited
     : expected.Uses(stats.residency) >= 0.5f ? inspection->wanted
                                              : inspection->unwanted)++;
    const uint64_t use = slot.lastUse.load(std::memory_order_relaxed);
    if (stats.oldestUse == 0 || use < stats.oldestUse) stats.oldestUse = use;
    const uint32_t* id = slot.key.id;
    objects.emplace(uint64_t{id[0]} << 32 | id[1], uint64_t{id[2]} << 32 | id[3]);
  });
  inspection->objects = static_cast<uint32_t>(objects.size());
  return complete ? Status{} : Ended(path);
}

Status InspectObject(const std::string& path, const Key& object, uint32_t count, std::vector<BlockFound>* blocks) {
  ReadFile file;
  const Status status = file.Open(path);
  if (!status.ok()) return status;
  const Geometry& g = file.header.geometry;
  if (!file.TakeDemand()) return Ended(path);
  blocks->assign(std::min(count, kMostInspected), {});
  const bool complete =
      ReadRecords<SlotHeader>(file.fd, g.slots, g.slotCount, [&](uint32_t index, const SlotHeader& slot) {
        Key key = object;
        key.block = slot.key.block;
        FillWord fill;
        if (slot.state.load(std::memory_order_relaxed) != kUsed || !(slot.key == key) || key.block >= kMostInspected ||
            !IsSound(slot, index, &fill))
          return;
        if (key.block >= blocks->size()) blocks->resize(key.block + 1);
        BlockFound& block = (*blocks)[key.block];
        block.readable = fill.watermark;
        block.views = slot.views.load(std::memory_order_relaxed);
        block.isOnDisk = slot.onDisk.load(std::memory_order_relaxed) != 0;
        block.isCondemned = slot.condemned.load(std::memory_order_relaxed) != 0;
        block.lastUse = slot.lastUse.load(std::memory_order_relaxed);
      });
  const Moment moment = file.demand.At(file.demand.Now());
  const float residency = file.demand.Residency(moment.now);
  for (uint32_t number = 0; number < blocks->size(); number++) {
    Key key = object;
    key.block = number;
    (*blocks)[number].expected = file.demand.Estimate(key, residency, moment);
  }
  return complete ? Status{} : Ended(path);
}

}  // namespace shm
