#include "shm_gather.h"

#include "shm_layout.h"

namespace shm {

namespace {

/** Bytes of an object whose blocks have numbers of 32 bits. */
constexpr double kObjectMax = 4294967296.0 * kBlockSize;

}  // namespace

Gathered Gather(Cache& cache, const uint32_t (&id)[4], const Pieces& pieces, double at, uint32_t reached,
                uint8_t* target, size_t room) {
  Gathered gathered = {0, 0};
  while (gathered.bytes < room) {
    const double place = PlaceOf(pieces, at);
    // False for what is not a number, too.
    if (!(place >= 0 && place < kObjectMax)) break;
    const auto block = static_cast<uint32_t>(place / kBlockSize);
    const int64_t readable = cache.Acquire({{id[0], id[1], id[2], id[3]}, block}, block != reached);
    if (readable == kAbsent) break;
    const size_t put =
        GatherPieces(pieces, at, cache.data(cache.pinnedSlot()), static_cast<size_t>(readable),
                     static_cast<double>(block) * kBlockSize, target + gathered.bytes, room - gathered.bytes);
    cache.Release();
    if (put == 0) break;
    gathered.bytes += put;
    gathered.readable = static_cast<uint32_t>(readable);
    at += static_cast<double>(put);
    reached = block;
  }
  return gathered;
}

}  // namespace shm
