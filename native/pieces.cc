#include "pieces.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace {

/** A difference of positions as a number of bytes, at most `limit`; 0 for what is none. */
size_t BytesOf(double difference, size_t limit) {
  // False for what is not a number, too.
  if (!(difference >= 1)) return 0;
  return difference >= static_cast<double>(limit) ? limit : static_cast<size_t>(difference);
}

/** The last piece that begins at `at` or before; the first when there is none. */
size_t PieceAt(const Pieces& pieces, double at) {
  size_t low = 0;
  size_t high = pieces.count;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (pieces.begins[middle] <= at) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

/**
 * Calls `use` with where parts of the pieces from byte `at` of them on begin in the run of `length` bytes from byte
 * `base` of the object, and how long they are, until one is not in it, `most` bytes are reached, or it returns false.
 */
template <typename Use>
void ForEachPart(const Pieces& pieces, double at, size_t length, double base, size_t most, Use use) {
  if (pieces.count == 0) return;
  for (size_t i = PieceAt(pieces, at); i < pieces.count && most > 0; i++) {
    const double place = pieces.offsets[i] - base + (at - pieces.begins[i]);
    if (!(place >= 0 && place < static_cast<double>(length))) return;
    const auto from = static_cast<size_t>(place);
    const size_t whole = BytesOf(pieces.begins[i + 1] - at, most);
    const size_t bytes = std::min(whole, length - from);
    if (bytes == 0 || !use(from, bytes)) return;
    most -= bytes;
    at += static_cast<double>(bytes);
    if (bytes < whole) return;
  }
}

}  // namespace

double PlaceOf(const Pieces& pieces, double at) {
  if (pieces.count == 0) return std::numeric_limits<double>::quiet_NaN();
  const size_t piece = PieceAt(pieces, at);
  return pieces.offsets[piece] + (at - pieces.begins[piece]);
}

void ScatterPieces(const Pieces& pieces, double at, const uint8_t* run, size_t length, double base, size_t most,
                   Scattered* scattered) {
  ForEachPart(pieces, at, length, base, most, [&](size_t from, size_t bytes) {
    if (scattered->count == scattered->room) return false;
    // What is written to sockets is not written to here.
    scattered->places[scattered->count++] = {const_cast<uint8_t*>(run) + from, bytes};
    scattered->bytes += bytes;
    return true;
  });
}

size_t GatherPieces(const Pieces& pieces, double at, const uint8_t* run, size_t length, double base, uint8_t* target,
                    size_t room) {
  size_t put = 0;
  ForEachPart(pieces, at, length, base, room, [&](size_t from, size_t bytes) {
    std::memcpy(target + put, run + from, bytes);
    put += bytes;
    return true;
  });
  return put;
}
