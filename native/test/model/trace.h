// Traces of viewers: who asks for which block when.
#ifndef MOOVEDGE_TEST_MODEL_TRACE_H_
#define MOOVEDGE_TEST_MODEL_TRACE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace model {

constexpr uint32_t kFilmBlocks = 1717;
/** Seconds for which a viewer watches a block: 256 KiB at 500 kbit/s. */
constexpr double kPace = 4.2;
constexpr uint32_t kNone = 0xffffffff;

struct Random {
  uint64_t state = 88172645463325252ull;
  uint64_t Next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545F4914F6CDD1Dull;
  }
  double Share() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  uint32_t Below(uint32_t limit) { return static_cast<uint32_t>((Next() >> 32) * limit >> 32); }
};

/** A viewer's read of a block, in a word. */
class Request {
 public:
  Request(uint32_t block, bool isLast) : word_(block << 1 | (isLast ? 1 : 0)) {}
  uint32_t block() const { return word_ >> 1; }
  /** Whether the viewer reads no further in this film. */
  bool isLast() const { return (word_ & 1) != 0; }

 private:
  uint32_t word_;
};

/** What viewers do. */
struct Habits {
  double zipf = 0.8;
  /** Share of views that begin at the film's beginning, and blocks of a view on average. */
  double fromStart = 0.7;
  double length = 71;
  /** Share of the viewers that read one film after the other to the end, each film once. */
  double crawlers = 0;
  /** Share of views, in the second half, of one film that nobody has seen before. */
  double crowd = 0;
  /** Not 0: other films are popular in the second half. */
  double forgotten = 0;
  /** Share of all blocks, in per cent, that are read in turn, again and again; 0: films are watched. */
  double loop = 0;
};

struct Trace {
  uint32_t films;
  uint32_t viewers;
  Habits habits;
  /** One of each viewer in turn. */
  std::vector<Request> requests;

  uint32_t blocks() const { return films * kFilmBlocks; }
  double TimeOf(size_t at) const { return 1000 + static_cast<double>(at) / viewers * kPace; }
};

inline Trace MakeTrace(uint32_t films, uint32_t viewers, size_t count, const Habits& habits) {
  Random random;
  std::vector<double> sums(films);
  double sum = 0;
  for (uint32_t film = 0; film < films; film++) sums[film] = sum += std::pow(film + 1, -habits.zipf);
  struct Viewer {
    uint32_t film, block, left;
  };
  std::vector<Viewer> all(viewers);
  Trace trace = {films, viewers, habits, {}};
  trace.requests.reserve(count + viewers);
  uint32_t crawled = 0;
  const auto begin = [&](Viewer& viewer, bool crawls) {
    if (crawls) {
      viewer = {crawled++ % films, 0, kFilmBlocks};
      return;
    }
    const bool isLate = trace.requests.size() >= count / 2;
    const double place = random.Share() * sum;
    viewer.film = static_cast<uint32_t>(std::lower_bound(sums.begin(), sums.end(), place) - sums.begin());
    if (habits.forgotten != 0 && isLate) viewer.film = films - 1 - viewer.film;
    const bool isOfCrowd = isLate && random.Share() < habits.crowd;
    if (isOfCrowd) viewer.film = films - 1;
    viewer.block = isOfCrowd || random.Share() < habits.fromStart ? 0 : random.Below(kFilmBlocks);
    viewer.left = static_cast<uint32_t>(std::max(1.0, std::round(-std::log(1 - random.Share()) * habits.length)));
  };
  const auto loop = static_cast<uint32_t>(habits.loop / 100 * trace.blocks());
  const auto crawlers = static_cast<uint32_t>(habits.crawlers * viewers);
  for (uint32_t i = 0; i < viewers; i++) begin(all[i], i < crawlers);
  while (trace.requests.size() < count) {
    for (uint32_t i = 0; i < viewers; i++) {
      if (loop > 0) {
        const auto at = static_cast<uint32_t>(trace.requests.size() % loop);
        trace.requests.push_back({at, at % kFilmBlocks == kFilmBlocks - 1});
        continue;
      }
      Viewer& viewer = all[i];
      const uint32_t block = viewer.film * kFilmBlocks + viewer.block;
      const bool isLast = ++viewer.block >= kFilmBlocks || --viewer.left == 0;
      trace.requests.push_back({block, isLast});
      if (isLast) begin(viewer, i < crawlers);
    }
  }
  return trace;
}

}  // namespace model

#endif  // MOOVEDGE_TEST_MODEL_TRACE_H_
