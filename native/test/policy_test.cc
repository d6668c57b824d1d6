// Tests of what is kept by demand, on traces by a model: it is never much worse than what was used least recently, also
// where that is the best, and not far from who knows the future where films are watched.

#include "model/run.h"
#include "support.h"

using namespace model;

namespace {

constexpr uint32_t kFilms = 300;
constexpr uint32_t kViewers = 60;
constexpr size_t kRequests = 120'000;
/** Of 515,100 blocks: 0.3 % and 3 %. */
constexpr Sizes kSizes = {1545, 15453};
/** As in src/cache/disk/disk-admission.ts. */
constexpr double kMinUses = 0.7;

double Kept(const Found& found) { return found.memory + found.ring; }

void Expect(bool holds, const char* name, const Found& lru, const Found& demand) {
  std::printf("%-14s lru %.3f + %.3f, demand %.3f + %.3f\n", name, lru.memory, lru.ring, demand.memory, demand.ring);
  CHECK(holds);
}

/** What `change` does to viewers of films must not make demand worse than LRU by more than two points. */
template <typename Change>
void TestAdversary(const char* name, Change change, Sizes sizes = kSizes) {
  Habits habits;
  change(habits);
  const Trace trace = MakeTrace(kFilms, kViewers, kRequests, habits);
  for (const uint32_t ring : {0u, sizes.ring}) {
    const Found lru = Run(trace, {sizes.memory, ring}, "lru", kMinUses);
    const Found demand = Run(trace, {sizes.memory, ring}, "demand", kMinUses);
    Expect(Kept(demand) >= Kept(lru) - 0.02, name, lru, demand);
  }
}

void TestFilms() {
  const Trace trace = MakeTrace(kFilms, kViewers, kRequests, {});
  const Sizes memory = {kSizes.memory, 0};
  const Found lru = Run(trace, memory, "lru", kMinUses);
  const Found demand = Run(trace, memory, "demand", kMinUses);
  const Found best = RunBelady(trace, NextUses(trace), memory);
  std::printf("belady %.3f\n", best.memory);
  Expect(demand.memory > 1.3 * lru.memory && demand.memory > 0.75 * best.memory, "films", lru, demand);
}

}  // namespace

int main() {
  TestFilms();
  TestAdversary("zipf 1.2", [](Habits& habits) { habits.zipf = 1.2; });
  TestAdversary("crawler", [](Habits& habits) { habits.crawlers = 0.3; });
  TestAdversary("small loop", [](Habits& habits) { habits.loop = 0.25; });
  TestAdversary("large loop", [](Habits& habits) { habits.loop = 0.6; });
  TestAdversary("crowd", [](Habits& habits) { habits.crowd = 0.5; });
  TestAdversary("forgotten", [](Habits& habits) { habits.forgotten = 1; });
  TestAdversary("from the start", [](Habits& habits) { habits.fromStart = 1; });
  TestAdversary("seeks", [](Habits& habits) {
    habits.fromStart = 0;
    habits.length = 3;
  });
  TestAdversary("tiny", [](Habits&) {}, {kViewers, 10 * kViewers});
  std::printf("policy tests passed\n");
  return 0;
}
