// What is wanted of the cache: who watches which object where, how often each object is watched, and how far views go.
//
// All processes share one table in the mapped file. Each value is one atomic word, and no two of them must agree, so
// nothing is locked: a count that two processes add to at once may lose one, a word that is damaged is forgotten, and
// whatever the table says, an estimate is a number from 0 to 1. It decides what goes first, never what is right.
//
// Viewers are not announced. Whoever reads the block behind a viewer's last is that viewer, and a view begins where
// there is none. So it makes no difference whether a player reads by one request or by hundreds, over one connection or
// several, of one worker or all of them.
#ifndef MOOVEDGE_SHM_DEMAND_H_
#define MOOVEDGE_SHM_DEMAND_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "shm_layout.h"

namespace shm {

/** What estimates of one moment have in common. */
struct Moment {
  double now;
  /** Seconds of the past that counts of views, and those of late, stand for. */
  float memory;
  float lately;
  /** Views of an object a second, on average over all. */
  float mean;
  /** Share of viewers that read no further, at each block. */
  float leaving;
};

/** What a block may expect of its viewers. */
struct Expected {
  /** Viewers on the way who reach the block within the time asked for. */
  float awaited;
  /** Views a second of those who have not begun yet. */
  float rate;
  /**
   * Uses a second that keeping the block brings until the best moment to let it go: what memory is worth. Infinity
   * while somebody reads it.
   */
  float worth;

  /** Uses within `seconds`, of which `awaited` was asked. */
  float Uses(float seconds) const { return awaited + rate * seconds; }
};

/** A block that may have to go. */
struct Candidate {
  Key key;
  uint32_t slot;
  float worth;
};

/**
 * For each block that has to go, so many are drawn by chance, and at most so many others are looked at that were used
 * lately; of them all those go that are worth least. So many are looked for at once.
 */
constexpr uint32_t kCandidates = 24;
constexpr uint32_t kRecentCandidates = 3;
constexpr uint32_t kVictims = 4;

/** What a block that is elsewhere is compared with, before it takes the place of another: slots drawn by chance. */
struct Rivals {
  static constexpr uint32_t kDrawn = 8;

  Candidate blocks[kDrawn];
  uint32_t count = 0;
  /** Slots among them that hold nothing. */
  uint32_t free = 0;
};

/** The table in a mapped file. Any number of threads and processes may call all members at once. */
class Demand {
 public:
  Demand() = default;
  Demand(uint8_t* base, const Geometry& geometry);

  /** Seconds since the table began, by a clock that all processes share. */
  double Now() const;
  /** Notes that somebody begins to read a block. */
  void See(const Key& key, double now);
  /** Notes that whoever reads this block has all of it, and needs it no more. */
  void Finish(const Key& key);
  /** Notes that whoever reads this block reads no further: it has gone, or stays where it is. */
  void Leave(const Key& key);
  /** What all estimates made now have in common. */
  Moment At(double now) const;
  /** What block `key` may expect within `seconds`. */
  Expected Estimate(const Key& key, float seconds, const Moment& moment) const;
  /** Finds out what candidates are worth. */
  void Judge(Candidate* candidates, uint32_t count, const Moment& moment) const;
  /** Whether a block that is elsewhere is worth a place among its rivals, which are judged. */
  bool IsWorthRoom(const Key& key, Rivals* rivals, const Moment& moment) const;
  /** Notes that blocks went, and tells for how long one stays at this rate, in seconds. */
  void Evicted(uint32_t count, double now);
  float Residency(double now) const;
  /** Notes what a block that goes was worth, and tells in how many seconds such a block would be used; 0: not known. */
  void Parted(float worth);
  float PartedWait() const;
  /** Objects of which something is known, at most as many as there are entries. */
  uint64_t Objects() const;

 private:
  ObjectDemand* Find(uint64_t name) const;
  ObjectDemand& FindOrTake(uint64_t name, double now);
  float RateOf(const ObjectDemand* object, uint32_t block, const Moment& moment) const;
  /** Seconds that viewers take for a block, on average. */
  float Pace() const;
  /** Blocks that a view reads on average. */
  float RunLength() const;
  void Begin(ObjectDemand& object, double now);

  DemandHeader* header_ = nullptr;
  ObjectDemand* objects_ = nullptr;
  uint32_t mask_ = 0;
  uint32_t slots_ = 0;
};

/** Group of a block's number in the profile of views: eight to each doubling. */
uint32_t ProfileGroup(uint32_t block);
/** First block of a group. */
uint64_t ProfileStart(uint32_t group);

}  // namespace shm

#endif  // MOOVEDGE_SHM_DEMAND_H_
