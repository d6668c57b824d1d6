// Copies to and from memory that another process reads or writes meanwhile.
#ifndef MOOVEDGE_LIVE_RING_WORDS_H_
#define MOOVEDGE_LIVE_RING_WORDS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace live {

/**
 * Copies into shared memory. Release, each word: a reader that sees one of them sees the tail that was stored before,
 * and so that what it read is gone. Plain moves on x86.
 */
inline void CopyIn(uint8_t* to, const uint8_t* from, size_t length) {
  for (; length > 0 && (reinterpret_cast<uintptr_t>(to) & 7) != 0; length--)
    __atomic_store_n(to++, *from++, __ATOMIC_RELEASE);
  for (; length >= 8; length -= 8, to += 8, from += 8) {
    uint64_t word;
    std::memcpy(&word, from, sizeof word);
    __atomic_store_n(reinterpret_cast<uint64_t*>(to), word, __ATOMIC_RELEASE);
  }
  for (; length > 0; length--) __atomic_store_n(to++, *from++, __ATOMIC_RELEASE);
}

/** Copies out of shared memory; acquire, each word, so that what is read behind this call is no older. */
inline void CopyOut(uint8_t* to, const uint8_t* from, size_t length) {
  for (; length > 0 && (reinterpret_cast<uintptr_t>(from) & 7) != 0; length--)
    *to++ = __atomic_load_n(from++, __ATOMIC_ACQUIRE);
  for (; length >= 8; length -= 8, to += 8, from += 8) {
    const uint64_t word = __atomic_load_n(reinterpret_cast<const uint64_t*>(from), __ATOMIC_ACQUIRE);
    std::memcpy(to, &word, sizeof word);
  }
  for (; length > 0; length--) *to++ = __atomic_load_n(from++, __ATOMIC_ACQUIRE);
}

}  // namespace live

#endif  // MOOVEDGE_LIVE_RING_WORDS_H_
