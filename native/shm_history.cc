#include "shm_history.h"

#include <algorithm>

namespace shm {

namespace {

// All loads and stores are relaxed: each word stands for itself, and one that is lost costs a count.
constexpr auto kRelaxed = std::memory_order_relaxed;

constexpr uint32_t kViewBits = 8;

/** Bits of the hash that do not choose the set of a table of usual size; never 0, which is an empty word. */
uint32_t TagOf(uint64_t hash) {
  const auto tag = static_cast<uint32_t>(hash >> 40);
  return tag == 0 ? 1 : tag;
}

uint32_t ViewsOf(uint32_t word) { return word & kMaxPastViews; }

}  // namespace

void History::Note(uint64_t hash, uint32_t views) {
  if (views == 0) return;
  HistorySet& set = SetOf(hash);
  const uint32_t tag = TagOf(hash);
  const uint32_t word = tag << kViewBits | std::min(views, kMaxPastViews);
  // Where the search begins differs from block to block, so that among equals chance decides which goes.
  const uint32_t begin = static_cast<uint32_t>(hash >> 4) % kHistoryWays;
  uint32_t least = begin;
  uint32_t fewest = kMaxPastViews + 1;
  for (uint32_t step = 0; step < kHistoryWays; step++) {
    const uint32_t way = (begin + step) % kHistoryWays;
    const uint32_t other = set.words[way].load(kRelaxed);
    if (other >> kViewBits == tag || other == 0) return set.words[way].store(word, kRelaxed);
    if (ViewsOf(other) >= fewest) continue;
    fewest = ViewsOf(other);
    least = way;
  }
  set.words[least].store(word, kRelaxed);
  // Whoever was viewed often makes room some day, too: what the hits of yesterday were must not stay for ever.
  std::atomic<uint32_t>& aging = set.words[begin];
  const uint32_t old = aging.load(kRelaxed);
  if (begin != least) aging.store((old & ~kMaxPastViews) | (ViewsOf(old) + 1) / 2, kRelaxed);
}

uint32_t History::Take(uint64_t hash) {
  const uint32_t tag = TagOf(hash);
  for (std::atomic<uint32_t>& word : SetOf(hash).words) {
    const uint32_t found = word.load(kRelaxed);
    if (found >> kViewBits != tag) continue;
    word.store(0, kRelaxed);
    return ViewsOf(found);
  }
  return 0;
}

}  // namespace shm
