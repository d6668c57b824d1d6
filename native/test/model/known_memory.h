// A memory tier that decides as that by demand does, but knows what nobody can know better before it has happened: how
// popular each film truly is, what views are like, and where each viewer stands. It tells how much of the way to Belady
// an estimate can go.
#ifndef MOOVEDGE_TEST_MODEL_KNOWN_MEMORY_H_
#define MOOVEDGE_TEST_MODEL_KNOWN_MEMORY_H_

#include <algorithm>
#include <cmath>
#include <vector>

#include "demand_memory.h"

namespace model {

class KnownMemory : public DemandMemory {
 public:
  KnownMemory(uint32_t size, const Trace& trace, DemandTable& table)
      : DemandMemory(size, trace.blocks(), table),
        clock_(table),
        leaving_(1 / trace.habits.length),
        places_(trace.viewers, {kNone, 0}),
        viewersOf_(trace.films) {
    const Habits& habits = trace.habits;
    double sought = 0;
    double read = 0;
    for (uint32_t block = 0; block < kFilmBlocks; block++) {
      sought = sought * std::exp(-leaving_) + (1 - habits.fromStart) / kFilmBlocks;
      reached_.push_back(sought + habits.fromStart * std::exp(-leaving_ * block));
      read += reached_.back();
    }
    double sum = 0;
    for (uint32_t film = 0; film < trace.films; film++) sum += std::pow(film + 1, -habits.zipf);
    const double views = trace.viewers / (read * kPace);
    for (uint32_t film = 0; film < trace.films; film++)
      rates_.push_back(views * std::pow(film + 1, -habits.zipf) / sum);
  }

  /** Sees the viewer of request `at` go on. */
  void Note(const Trace& trace, size_t at) {
    const auto viewer = static_cast<uint32_t>(at % trace.viewers);
    const uint32_t film = trace.requests[at].block() / kFilmBlocks;
    Place& place = places_[viewer];
    if (place.block == kNone || place.block / kFilmBlocks != film) {
      if (place.block != kNone) {
        auto& before = viewersOf_[place.block / kFilmBlocks];
        before.erase(std::find(before.begin(), before.end(), viewer));
      }
      viewersOf_[film].push_back(viewer);
    }
    place = {trace.requests[at].block(), trace.TimeOf(at)};
  }

 protected:
  void Judge(shm::Candidate* candidates, uint32_t count) override {
    for (uint32_t i = 0; i < count; i++) candidates[i].worth = static_cast<float>(WorthOf(keys_[candidates[i].slot]));
  }

 private:
  struct Place {
    uint32_t block;
    double since;
  };
  struct Coming {
    double time;
    double chance;
    bool operator<(const Coming& other) const { return time < other.time; }
  };

  double WorthOf(uint32_t block) {
    coming_.clear();
    for (const uint32_t viewer : viewersOf_[block / kFilmBlocks]) {
      const Place& place = places_[viewer];
      if (place.block >= block) continue;
      const double distance = block - place.block;
      const double time = std::max(kPace / 2, distance * kPace - (clock_.now - place.since));
      coming_.push_back({time, std::exp(-distance * leaving_)});
    }
    std::sort(coming_.begin(), coming_.end());
    double uses = 0;
    double most = 0;
    for (const Coming& viewer : coming_) {
      uses += viewer.chance;
      most = std::max(most, uses / viewer.time);
    }
    return rates_[block / kFilmBlocks] * reached_[block % kFilmBlocks] + most;
  }

  const DemandTable& clock_;
  /** Chance that a viewer reads no further, at each block. */
  double leaving_;
  /** Of a view, how often it reads each block of a film. */
  std::vector<double> reached_;
  /** Views a second of each film. */
  std::vector<double> rates_;
  std::vector<Place> places_;
  std::vector<std::vector<uint32_t>> viewersOf_;
  std::vector<Coming> coming_;
};

}  // namespace model

#endif  // MOOVEDGE_TEST_MODEL_KNOWN_MEMORY_H_
