// Numbers as MP4 files have them.
#ifndef MOOVEDGE_BIG_ENDIAN_H_
#define MOOVEDGE_BIG_ENDIAN_H_

#include <cstdint>
#include <cstring>

/** The big-endian word at `bytes`. */
inline uint32_t WordAt(const uint8_t* bytes) {
  uint32_t word;
  std::memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return __builtin_bswap32(word);
#else
  return word;
#endif
}

#endif  // MOOVEDGE_BIG_ENDIAN_H_
