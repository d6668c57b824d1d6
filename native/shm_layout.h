// Layout of the shared cache file.
//
//   0            FileHeader                        one page
//   processes    ProcessEntry[kProcesses]          one per attached process: pins, mailbox, doorbell
//   generations  uint32[kGenerations]              counters that tell other processes that something changed
//   stripes      StripeHeader[stripes]             lock, free list, order of eviction, counters
//   buckets      uint32[stripes * buckets]         heads of the hash chains           } the index: can be rebuilt
//   links        SlotLinks[slots]                  chain and order of each slot       } from the slot headers
//   slots        SlotHeader[slots]                 what a slot holds: the truth
//   follows      SlotFollow[slots]                 who waits for the slot's filler
//   history      HistorySet[sets]                  views of blocks that have gone: see shm_history.h
//   demand       DemandHeader, ObjectDemand[objects]  who watches what: see shm_demand.h
//   data         byte[slots * blockSize]           aligned to kDataAlignment
//
// A slot belongs to one stripe for good: stripe s has the slots [s * slotsPerStripe, (s + 1) * slotsPerStripe). The
// hash of a key chooses the stripe. Inside index and links, slots are numbered from 0 within their stripe; kNil stands
// for none.
//
// Any process may die at any instruction. What is written under a stripe's lock is repaired from the slot headers by
// whoever finds the lock held by a dead process. What is written without a lock is one atomic word each.
#ifndef MOOVEDGE_SHM_LAYOUT_H_
#define MOOVEDGE_SHM_LAYOUT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace shm {

constexpr char kMagic[16] = "moovedge blocks";
/** Raised whenever the meaning of a byte of the file changes. */
constexpr uint32_t kLayoutVersion = 4;
constexpr uint32_t kByteOrder = 0x01020304;

constexpr uint32_t kBlockSize = 256 * 1024;
constexpr uint64_t kMaxBytes = uint64_t{512} << 30;
/** Two generations of 256 workers, and what stands beside them. */
constexpr uint32_t kProcesses = 640;
/** Most blocks that a process has pinned at a time: as many as one send takes. */
constexpr uint32_t kPins = 8;
constexpr uint32_t kGenerations = 65536;
constexpr uint32_t kMaxStripes = 256;
/** Stripes are made no smaller than this, so that an uneven hash wastes little. */
constexpr uint32_t kMinSlotsPerStripe = 256;
constexpr uint64_t kDataAlignment = 2 * 1024 * 1024;
constexpr uint32_t kNil = 0xffffffff;
constexpr uint16_t kMaxViews = 0xffff;
/** Classes of keys in a mailbox. */
constexpr uint32_t kMailClasses = 4096;

/** The state words are far apart, so that flipped bits make neither out of the other. */
constexpr uint32_t kCreating = 0x6e65774e;
constexpr uint32_t kReady = 0x72656164;
constexpr uint32_t kClean = 0x636c6e21;
constexpr uint32_t kDirty = 0x64727479;
constexpr uint32_t kFree = 0;
constexpr uint32_t kUsed = 0x75736564;
/** Taken out of the index while its filler lives; freed when the fill ends. */
constexpr uint32_t kDoomed = 0x646f6f6d;

/** Everything about a file that follows from its number of slots. Offsets and sizes in bytes. */
struct Geometry {
  uint64_t fileSize;
  uint64_t processes;
  uint64_t generations;
  uint64_t stripes;
  uint64_t buckets;
  uint64_t links;
  uint64_t slots;
  uint64_t follows;
  uint64_t history;
  uint64_t demand;
  uint64_t data;
  uint32_t blockSize;
  uint32_t slotCount;
  uint32_t stripeCount;
  uint32_t slotsPerStripe;
  /** A power of two. */
  uint32_t bucketsPerStripe;
  /** Sets of the table of past views: a power of two. */
  uint32_t historyCount;
  /** Entries of the table of demand: a power of two. */
  uint32_t objectCount;
  /** So that no byte of the record is left to chance. */
  uint32_t reserved;
};

struct FileHeader {
  // Written once, when the file is made, and covered by `crc`.
  char magic[16];
  uint32_t layoutVersion;
  uint32_t byteOrder;
  Geometry geometry;
  /** Random and secret; keeps chosen URLs from falling into one hash chain, and names what belongs to the file. */
  uint64_t seed;
  /** Milliseconds since 1970. */
  uint64_t createdAt;
  uint32_t crc;

  // Written under the start lock.
  std::atomic<uint32_t> state;
  std::atomic<uint32_t> clean;
  /**
   * Raised by the first process that attaches after an unclean stop: a block verified in another epoch is verified
   * again. Never 0.
   */
  std::atomic<uint32_t> epoch;
  /** The boot in which `clean` was written: a machine that went down may have lost any page of a file on a disk. */
  char bootId[40];
  /** Entries of the process table past this one have not been used since `openedAt`. */
  std::atomic<uint32_t> processLimit;
  /** ProcessId::Pack of the supervisor in charge. */
  std::atomic<uint32_t> holder;
  std::atomic<uint32_t> holderPid;
  uint32_t reserved;
  /** When the supervisor in charge attached, in milliseconds since 1970. */
  std::atomic<uint64_t> holderSince;
  /** When the file was last opened by a first process, in milliseconds since 1970. */
  std::atomic<uint64_t> openedAt;
};

/** One attached process. It holds the lock of its byte of the file as long as it lives, which is how others know. */
struct alignas(64) ProcessEntry {
  /**
   * incarnation << 32 | pid; pid 0 when the entry is free. The incarnation counts the processes that have had the
   * entry.
   */
  std::atomic<uint64_t> identity;
  /** Milliseconds since 1970. */
  std::atomic<uint64_t> since;
  std::atomic<uint32_t> role;

  /** A pinned slot + 1 each, or 0. Stored under the slot's stripe lock, cleared without it; alone in a cache line. */
  alignas(64) std::atomic<uint32_t> hazards[kPins];

  /** Futex word: 1 when there is mail that was not fetched. */
  alignas(64) std::atomic<uint32_t> doorbell;
  /** Bit w is set when word w of `mail` may have bits. */
  std::atomic<uint64_t> mailWords;
  /** A bit per class of keys: a block of that class has changed. */
  alignas(64) std::atomic<uint64_t> mail[kMailClasses / 64];
};

/** Counters of a stripe: written under its lock, read by anybody. */
struct Counters {
  std::atomic<uint64_t> hits;
  std::atomic<uint64_t> misses;
  std::atomic<uint64_t> evictedToDisk;
  std::atomic<uint64_t> dropped;
  std::atomic<uint64_t> checksumFailures;
  /** Times that the index was derived again because it made no sense or its last writer died. */
  std::atomic<uint64_t> repairs;
};

struct alignas(64) StripeHeader {
  std::atomic<uint32_t> lock;
  uint32_t freeHead;
  /** Ends of the order of eviction. */
  uint32_t coldest;
  uint32_t warmest;
  std::atomic<uint32_t> freeCount;
  /** Slots in the order: held by nobody, so they may be evicted when not pinned. */
  std::atomic<uint32_t> ordered;
  /** Slots being filled, doomed ones included. free + ordered + filling = slotsPerStripe. */
  std::atomic<uint32_t> filling;
  /** Slots at the cold end of the order that were put there because they are wanted least. */
  std::atomic<uint32_t> condemned;
  /** Time of the last use in this stripe: microseconds since 1970, but made to rise with every use. */
  uint64_t clock;
  /** The one of them that goes last, or kNil. */
  uint32_t lastCondemned;
  alignas(64) Counters counters;
};

struct SlotLinks {
  /** Next slot of the hash chain. */
  uint32_t chain;
  /** Part of the key's hash, so that a chain is followed without touching slot headers. */
  uint32_t tag;
  /** Neighbours in the order; `colder` also links the free list. */
  uint32_t colder;
  uint32_t warmer;
};

/** Identity of a block: 128-bit object id and block number. */
struct Key {
  uint32_t id[4];
  uint32_t block;

  bool operator==(const Key& other) const {
    return id[0] == other.id[0] && id[1] == other.id[1] && id[2] == other.id[2] && id[3] == other.id[3] &&
           block == other.block;
  }
};

/** What a slot holds, in one cache line. Fields without a note are written under the stripe's lock. */
struct alignas(64) SlotHeader {
  Key key;
  /** Bytes of the whole block, 1 to blockSize. */
  uint32_t length;
  /** CRC32C of key, length and slot number. */
  uint32_t identityCrc;
  std::atomic<uint32_t> state;
  /** See FillWord. Written by the filler without the lock. */
  std::atomic<uint64_t> fill;
  /** Who fills: serial << 32 | ProcessId::Pack, or 0. */
  std::atomic<uint64_t> owner;
  /** Value of the stripe's clock at the last use. */
  std::atomic<uint64_t> lastUse;
  /** Stops at kMaxViews. */
  std::atomic<uint16_t> views;
  std::atomic<uint8_t> onDisk;
  /** Whether the block is wanted least, and is to go before others; a use makes it stay. */
  std::atomic<uint8_t> condemned;
  /** The epoch in which the checksum was computed or verified; written without the lock. */
  std::atomic<uint32_t> verifiedEpoch;
};

/** Beside each slot header, and of meaning only while the slot is being filled. */
struct SlotFollow {
  /**
   * Who is to be told of the next change: a bit for the processes whose index is the bit's number modulo 64. Set under
   * the lock, taken by the filler without it.
   */
  std::atomic<uint64_t> waiters;
  /** When the watermark last moved: milliseconds of the monotonic clock; written by the filler without the lock. */
  std::atomic<uint64_t> progress;
};

/** Words of a set of past views: a cache line. */
constexpr uint32_t kHistoryWays = 16;

/** Views of blocks that were evicted: 24 bits of a key's hash, then 8 bits of views; 0 where there is none. */
struct alignas(64) HistorySet {
  std::atomic<uint32_t> words[kHistoryWays];
};

/** Groups of block numbers of which the table of demand keeps how often views reach them. */
constexpr uint32_t kProfileGroups = 240;
/** Viewers of an object that are followed one by one; with more it is watched so often that its rate tells enough. */
constexpr uint32_t kViewers = 12;

/** What the table of demand knows of all objects together. */
struct DemandHeader {
  /** When it began, in milliseconds since 1970. */
  std::atomic<uint64_t> since;
  /** Views of all objects, as a Decayed. */
  std::atomic<uint64_t> views;
  /** Blocks that were evicted, as a Decayed. */
  std::atomic<uint64_t> evicted;
  /** Entries that have been taken, at most as many as there are. */
  std::atomic<uint64_t> objects;
  /** Blocks that were read, and views that read them. */
  std::atomic<uint64_t> reads;
  std::atomic<uint64_t> begun;
  /** For each group of block numbers, how many of its blocks were read, and in how many views they could have been. */
  std::atomic<uint32_t> reached[kProfileGroups];
  std::atomic<uint32_t> offered[kProfileGroups];
  /** Seconds that viewers take for a block, and until the next use of a block that goes, as the bits of floats. */
  std::atomic<uint32_t> pace;
  std::atomic<uint32_t> wait;
};

/** Bytes from the table's beginning to its objects. */
constexpr uint64_t kDemandHeaderBytes = 4096;
/** Entries of a set: an object's name chooses the set. */
constexpr uint32_t kDemandWays = 4;

/** What it knows of one object. */
struct alignas(64) ObjectDemand {
  /** Hash of the object's id; 0 where there is none. */
  std::atomic<uint64_t> name;
  /** Views of the last hours, and of the last minute, as a Decayed each. */
  std::atomic<uint64_t> views;
  std::atomic<uint64_t> lately;
  /** Greatest block number that was read. */
  std::atomic<uint64_t> last;
  /** Places of viewers: see shm_demand.cc. */
  std::atomic<uint64_t> viewers[kViewers];
};

static_assert(sizeof(FileHeader) <= 4096, "the header is one page");
static_assert(sizeof(ProcessEntry) == 704, "layout");
static_assert(sizeof(StripeHeader) == 128, "layout");
static_assert(sizeof(SlotLinks) == 16, "layout");
static_assert(sizeof(SlotHeader) == 64, "layout");
static_assert(sizeof(SlotFollow) == 16, "layout");
static_assert(sizeof(HistorySet) == 64, "layout");
static_assert(sizeof(DemandHeader) <= kDemandHeaderBytes, "layout");
static_assert(sizeof(ObjectDemand) == 128, "layout");
static_assert(std::atomic<uint64_t>::is_always_lock_free, "words of the file are atomic without locks");

/**
 * Geometry of a cache of `bytes` bytes of blocks, rounded down to whole blocks and even stripes.
 * False when there is no room for a block or the size is past kMaxBytes.
 */
bool MakeGeometry(uint64_t bytes, Geometry* geometry);

/**
 * Progress of a fill and checksum of the bytes so far in one word, so that a filler may die between any two
 * instructions.
 */
struct FillWord {
  /** Bytes that are there. */
  uint32_t watermark;
  /** CRC32C of them. */
  uint32_t crc;

  /** The word, with a check of 13 bits that is different for each slot. */
  uint64_t Encode(uint32_t slot) const;
  /** False when the word is damaged or says more bytes than a block has. */
  static bool Decode(uint64_t word, uint32_t slot, FillWord* fill);
};

/** CRC32C over what makes a slot's identity. */
uint32_t IdentityCrc(const Key& key, uint32_t length, uint32_t slot);

/** First entry of the set of an object's name in the table of demand. */
inline uint32_t DemandSet(uint64_t name, const Geometry& geometry) {
  return static_cast<uint32_t>(name) & (geometry.objectCount - 1) & ~(kDemandWays - 1);
}

/** Class of a key in mailboxes. The JavaScript side computes the same. */
inline uint32_t MailClass(const Key& key) { return (key.id[0] + key.block) % kMailClasses; }

/** Hash of a key: the low bits choose the bucket, the high bits the stripe, the middle is the tag. */
inline uint64_t HashKey(const Key& key, uint64_t seed) {
  uint64_t low = (uint64_t{key.id[1]} << 32 | key.id[0]) ^ seed;
  uint64_t high = (uint64_t{key.id[3]} << 32 | key.id[2]) + key.block * 0x9e3779b97f4a7c15ull;
  uint64_t hash = (low ^ (low >> 32)) * 0xff51afd7ed558ccdull ^ high;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53ull;
  hash = (hash ^ (hash >> 29)) * 0xff51afd7ed558ccdull;
  return hash ^ (hash >> 32);
}

}  // namespace shm

#endif  // MOOVEDGE_SHM_LAYOUT_H_
