// Pieces of an object put one after the other, out of a run of its bytes.
#ifndef MOOVEDGE_PIECES_H_
#define MOOVEDGE_PIECES_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

/** Where pieces stand in an object. Nothing is assumed of the numbers. */
struct Pieces {
  /** First byte of each in the object; they are meant to ascend. */
  const double* offsets;
  /** Bytes of the pieces before each, and of all: `count` + 1 numbers that are meant to rise. */
  const double* begins;
  size_t count;
};

/**
 * Where byte `at` of the pieces stands in the object: in the last piece that begins at it or before. Not a number when
 * there are no pieces; of numbers that make no sense, any.
 */
double PlaceOf(const Pieces& pieces, double at);

/**
 * Puts bytes of the pieces from byte `at` of them on into `target`: as many as lie without a break in the pieces in
 * the run of `length` bytes at `run`, whose first is byte `base` of the object, and as `room` allows. Returns how many;
 * 0 when byte `at` is none of the run's.
 */
size_t GatherPieces(const Pieces& pieces, double at, const uint8_t* run, size_t length, double base, uint8_t* target,
                    size_t room);

/** Bytes as they lie, in `count` places at `places`, of which there is room for `room`. */
struct Scattered {
  iovec* places;
  size_t room;
  size_t count;
  size_t bytes;
};

/** The same, but that nothing is copied: `scattered` receives where the bytes lie, up to `most` of them. */
void ScatterPieces(const Pieces& pieces, double at, const uint8_t* run, size_t length, double base, size_t most,
                   Scattered* scattered);

#endif  // MOOVEDGE_PIECES_H_
