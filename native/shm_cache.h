// The memory tier of one process: blocks shared by all processes that have the file open.
//
// One thread uses an object of this class. At most one block is pinned at a time.
#ifndef MOOVEDGE_SHM_CACHE_H_
#define MOOVEDGE_SHM_CACHE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "shm_demand.h"
#include "shm_file.h"
#include "shm_layout.h"
#include "shm_process.h"
#include "shm_recent.h"
#include "shm_stats.h"
#include "shm_stripe.h"

namespace shm {

struct CacheOptions {
  /** Share of the slots that fills may use, in thousandths. */
  uint32_t fillPermille = 250;
  /** Milliseconds without progress after which a fill is not followed any more. */
  uint32_t followTimeoutMs = 15000;
  /** Verifies a block on every use, not only on the first after an unclean stop. */
  bool verifyAlways = false;
  /** Notes who watches what. */
  bool notesDemand = false;
};

/** A whole block with its length. */
struct BlockName {
  Key key;
  uint32_t length;
};

/** Which blocks that leave memory are worth a place on disk. */
struct Admission {
  /** At least so many views. */
  uint32_t minViews;
  /** By demand: at least so many uses, in thousandths, within so many seconds. Not asked for with 0 seconds. */
  uint32_t minUses;
  uint32_t seconds;
};

enum class Claim { kFilling, kFollowing, kPresent, kFull };

enum class AppendResult {
  kAppended,
  /** The last byte has come; the fill has ended. */
  kComplete,
  /** The fill is not there (any more). */
  kEnded,
  /** More bytes than the block has left. */
  kTooLong,
};

constexpr int64_t kAbsent = -1;
/** The fill has lost its block: less than any -errno. */
constexpr int64_t kLost = -4096;

class Cache {
 public:
  explicit Cache(const CacheOptions& options) : options_(options) {}
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  ~Cache() { Close(); }

  Status Open(const OpenOptions& options);
  /**
   * Attaches to the mapping of another cache of this process, so that thread checkers see both at the same addresses.
   */
  Status OpenBeside(const Cache& other);
  /** Ends this process's fills and pin, marks a clean stop when it is the last, and unmaps. May be called twice. */
  void Close();

  /**
   * Pins a block.
   * @param counted whether this is a new view of the block, not the continuation of one
   * @param pin number of the pin, below kPins: 0 for who pins one block at a time
   * @return readable bytes, or kAbsent and nothing is pinned
   */
  int64_t Acquire(const Key& key, bool counted, uint32_t pin = 0);
  /** Counts a view of a block that was acquired as none, and has been pinned in its slot since then. */
  void CountView(const Key& key, uint32_t slot);
  /** The pinned slot; valid after Acquire has returned a number of bytes. */
  uint32_t pinnedSlot() const { return pinnedSlot_; }
  void Release(uint32_t pin = 0) { processes_->Unpin(pin); }
  bool Has(const Key& key);

  /**
   * Asks to fill a block. When kFilling, `fill` is a handle for Append and Abandon, and `watermark` the bytes that are
   * there.
   */
  Claim ClaimFill(const Key& key, uint32_t length, bool onDisk, uint32_t* fill, uint32_t* watermark);
  /** Takes the chunk, which may lie in the block already, where `Receive` has put it. */
  AppendResult Append(uint32_t fill, const uint8_t* chunk, size_t length);
  /**
   * Reads what a socket has, at most `most` bytes, into the block behind the watermark, where nobody sees it before it
   * is appended.
   * @param slot, at where the bytes are
   * @return their number; 0 when there is nothing, or the connection has been closed; -errno; or kLost
   */
  int64_t Receive(uint32_t fill, int socket, size_t most, uint32_t* slot, uint32_t* at);
  void Abandon(uint32_t fill, bool discard);

  /**
   * True when it is worth to wait for the block to have more than `seen` bytes; then this process's doorbell will ring.
   */
  bool Watch(const Key& key, uint32_t seen);
  bool FetchMail(uint64_t classes[kMailClasses / 64]) { return processes_->FetchMail(classes); }

  /** Ends the fills of processes that died, so that others take over; returns how many had died. */
  uint32_t Reap();

  /** Whether blocks that are wanted least are evicted first from now on, or those that were used least recently. */
  void EvictByDemand(bool byDemand) { byDemand_ = byDemand; }
  /** Uses that a block may expect within so many seconds. */
  float ExpectedUses(const Key& key, uint32_t seconds) const {
    const auto within = static_cast<float>(seconds);
    return demand_.Estimate(key, within, demand_.At(demand_.Now())).Uses(within);
  }
  /** Notes that the reader of a block has all of it, or reads no further. */
  void Finish(const Key& key) {
    if (options_.notesDemand) demand_.Finish(key);
  }
  void Leave(const Key& key) {
    if (options_.notesDemand) demand_.Leave(key);
  }

  /**
   * Notes that somebody reads a block that is elsewhere, and tells whether it is worth room here, where others would
   * have to go for it. Only a block of which its reader has all at once may do without.
   */
  bool IsWorthRoom(const Key& key, bool isWhole);

  /**
   * Evicts the coldest blocks until `freeShare` thousandths of each stripe are free. Blocks that are worth a place on
   * disk and are not there are left for the disk tier; those too are dropped when their room is needed at once.
   * @return evicted blocks
   */
  uint32_t EvictAhead(uint32_t freePermille, const Admission& admission);
  /**
   * Blocks that will be evicted next, are worth a place on disk and not there yet; at most `limit`.
   */
  std::vector<BlockName> Coldest(uint32_t freePermille, const Admission& admission, uint32_t limit);
  /**
   * Copies a whole block of at most `room` bytes after verifying it; returns its length, or kAbsent. Does not count as
   * a use.
   */
  int64_t Copy(const Key& key, uint8_t* to, size_t room);
  /** Lets a block go that nobody fills or reads; false when it is not here, or stays. */
  bool Drop(const Key& key);
  /** Notes whether the disk tier holds the block; false when it is not here. */
  bool MarkOnDisk(const Key& key, bool onDisk);

  /**
   * Verifies about `budget` bytes of blocks, going on where it stopped; returns the bytes looked at, 0 when there was
   * nothing.
   */
  uint64_t Scrub(uint64_t budget);
  CacheStats Stats();

  const SharedFile& file() const { return file_; }
  ProcessTable& processes() { return *processes_; }
  /** True when this was the first process to attach. */
  bool first() const { return first_; }
  /** True when the last stop was clean; of meaning to the first process. */
  bool wasClean() const { return wasClean_; }
  /** False when another supervisor has taken over. */
  bool IsHolder() const;
  bool isOpen() const { return processes_ != nullptr; }
  std::atomic<uint32_t>* generations() const {
    return reinterpret_cast<std::atomic<uint32_t>*>(file_.base() + file_.geometry().generations);
  }
  uint8_t* data(uint32_t slot) const { return file_.base() + file_.geometry().data + uint64_t{slot} * kBlockSize; }

 private:
  /** A fill of this process. It keeps its progress here too, so that damage to the shared word can't mislead it. */
  struct Fill {
    uint64_t owner = 0;
    uint32_t slot = 0;
    uint32_t length = 0;
    uint32_t watermark = 0;
    uint32_t crc = 0;
    uint32_t mailClass = 0;
  };
  /** A stripe with its lock held, or not when a stopped process has it. */
  class Locked;

  /** The end of a fill, which waits while a stopped process holds the stripe. */
  struct PendingEnd {
    Fill fill;
    bool discard;
  };

  Status Attach(Role role);
  void StartFirst();
  Stripe StripeAt(uint32_t index) const;
  bool MayFillMore() const;
  bool IsStalled(const SlotFollow& follow) const;
  bool NeedsCheck(const SlotHeader& slot) const;
  bool Matches(uint32_t slot, const FillWord& fill) const;
  bool VerifyPinned(const Key& key, uint64_t hash, const FillWord& fill, uint32_t pin = 0);
  void Damaged(Stripe& stripe, uint32_t local);
  uint64_t BeginFill(const Key& key, uint32_t slot, const FillWord& from, uint32_t length, uint32_t* fill);
  void Forget(uint32_t fill);
  void Finish(uint32_t fill, bool discard);
  bool End(const PendingEnd& end);
  void EndPending();
  bool EndDeadFills();
  void EndDeadFill(Locked& stripe, uint32_t local);
  /** Sees to it that so many blocks of a stripe, if there are, are condemned: those that are wanted least. */
  void Condemn(uint32_t index, uint32_t count);
  /** A slot of a stripe of `slots`, by chance. */
  uint32_t Draw(uint32_t slots);
  /** Takes note of what was used since the last look. */
  void LookAtRecent(Stripe& stripe, Recent& recent, double now);
  /** A block that is about to be evicted. */
  struct Cold {
    BlockName name;
    uint32_t slot;
    uint32_t views;
    bool onDisk;
    bool isWhole;
  };
  /** Puts the blocks of a stripe into `cold_` that go next, so many that twice `target` slots are free afterwards. */
  void LookAtColdest(uint32_t index, uint32_t target);
  bool IsWanted(const Cold& cold, const Admission& admission, const Moment& moment) const;
  /** Slots of a stripe that are to be kept free. */
  uint32_t FreeTarget(uint32_t freePermille) const;

  CacheOptions options_;
  SharedFile file_;
  std::unique_ptr<ProcessTable> processes_;
  uint64_t seed_ = 0;
  uint32_t epoch_ = 0;
  bool first_ = false;
  bool wasClean_ = false;
  uint32_t pinnedSlot_ = 0;
  uint64_t fillLimit_ = 1;
  uint32_t serial_ = 0;
  std::vector<Fill> fills_;
  std::vector<uint32_t> freeFills_;
  std::vector<PendingEnd> pending_;
  /** True when fills of dead processes may be left that have not been ended. */
  bool unreaped_ = false;
  /** For each stripe, until when (milliseconds) a stopped process is taken to hold it. */
  std::vector<uint64_t> busyUntil_;
  uint32_t scrubSlot_ = 0;
  uint32_t coldStripe_ = 0;
  std::vector<Cold> cold_;
  bool byDemand_ = false;
  /** Blocks that had been evicted by all processes at the last look; 0 before the first. */
  uint64_t evictedBefore_ = 0;
  Demand demand_;
  /** Of each stripe, what was used lately, while this process evicts by demand. */
  std::vector<Recent> recent_;
  /** State of the generator that chooses candidates. */
  uint64_t random_ = 1;
};

}  // namespace shm

#endif  // MOOVEDGE_SHM_CACHE_H_
