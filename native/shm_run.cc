#include "shm_run.h"

#include <algorithm>

#include "shm_layout.h"

namespace shm {

namespace {

/** The key of a block of the run. */
Key KeyAt(const Run& run, uint32_t index) {
  Key key = run.first;
  key.block += index;
  return key;
}

}  // namespace

size_t PinRun(Cache& cache, const Key& first, uint32_t from, size_t most, bool counted, Run* run) {
  run->first = first;
  run->count = 0;
  run->bytes = 0;
  while (run->count < kPins && run->bytes < most && first.block <= UINT32_MAX - run->count) {
    const uint32_t pin = run->count;
    const int64_t readable = cache.Acquire(KeyAt(*run, pin), counted && pin == 0, pin);
    if (readable == kAbsent) break;
    const uint32_t at = pin == 0 ? from : 0;
    if (readable <= int64_t{at}) {
      cache.Release(pin);
      break;
    }
    const size_t length = std::min(most - run->bytes, static_cast<size_t>(readable) - at);
    run->slots[pin] = cache.pinnedSlot();
    run->places[pin] = {cache.data(cache.pinnedSlot()) + at, length};
    run->bytes += length;
    run->readable = static_cast<uint32_t>(readable);
    run->count++;
    if (readable < int64_t{kBlockSize}) break;
  }
  return run->bytes;
}

void UnpinRun(Cache& cache, size_t taken, Run* run) {
  size_t before = 0;
  for (uint32_t pin = 0; pin < run->count; pin++) {
    if (pin > 0 && taken > before) cache.CountView(KeyAt(*run, pin), run->slots[pin]);
    before += run->places[pin].iov_len;
  }
  // The first pin goes last: while it is taken, so may others be.
  for (; run->count > 0; run->count--) cache.Release(run->count - 1);
}

}  // namespace shm
