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

}  // namespace

double PlaceOf(const Pieces& pieces, double at) {
  if (pieces.count == 0) return std::numeric_limits<double>::quiet_NaN();
  const size_t piece = PieceAt(pieces, at);
  return pieces.offsets[piece] + (at - pieces.begins[piece]);
}

size_t GatherPieces(const Pieces& pieces, double at, const uint8_t* run, size_t length, double base, uint8_t* target,
                    size_t room) {
  size_t put = 0;
  if (pieces.count == 0) return 0;
  for (size_t i = PieceAt(pieces, at); i < pieces.count && put < room; i++) {
    const double place = pieces.offsets[i] - base + (at - pieces.begins[i]);
    if (!(place >= 0 && place < static_cast<double>(length))) break;
    const size_t from = static_cast<size_t>(place);
    const size_t whole = BytesOf(pieces.begins[i + 1] - at, room - put);
    const size_t bytes = std::min(whole, length - from);
    if (bytes == 0) break;
    std::memcpy(target + put, run + from, bytes);
    put += bytes;
    at += static_cast<double>(bytes);
    if (bytes < whole) break;
  }
  return put;
}
