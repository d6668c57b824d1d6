// Arithmetic on the big-endian words of MP4 tables, as they are sent.
#include "words.h"

#include <cstdint>
#include <cstring>

#include "arguments.h"

namespace {

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
// Fast enough only with vectors: as many words at once as the processor at hand has room for.
#define MOOVEDGE_VECTORS __attribute__((optimize("O3"), target_clones("avx2", "default")))
#else
#define MOOVEDGE_VECTORS
#endif

uint32_t Swapped(uint32_t word) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return __builtin_bswap32(word);
#else
  return word;
#endif
}

/** Writes the big-endian word at `from`, with `delta` added modulo 2^32, to `to`. */
inline void AddToWord(const uint8_t* from, uint8_t* to, uint32_t delta) {
  uint32_t word;
  std::memcpy(&word, from, sizeof word);
  word = Swapped(Swapped(word) + delta);
  std::memcpy(to, &word, sizeof word);
}

/** The same for `count` words in a row. `from` and `to` overlap wholly or not at all. */
MOOVEDGE_VECTORS void AddToAll(const uint8_t* from, uint8_t* to, size_t count, uint32_t delta) {
  for (size_t i = 0; i < count; i++) AddToWord(from + i * sizeof delta, to + i * sizeof delta, delta);
}

/** addToWords(source, target, size, word, delta) */
Napi::Value AddToWords(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  uint8_t *source, *target;
  size_t length, targetLength;
  uint32_t size, word, delta;
  if (!ToBytes(env, info[0], &source, &length) || !ToBytes(env, info[1], &target, &targetLength) ||
      !ToUint32(env, info[2], &size) || !ToUint32(env, info[3], &word) || !ToUint32(env, info[4], &delta)) {
    return env.Undefined();
  }
  const bool overlaps = source < target + targetLength && target < source + length;
  if (size < sizeof delta || word > size - sizeof delta || length != targetLength || length % size != 0 ||
      (overlaps && source != target)) {
    Napi::RangeError::New(env, "expected as many whole entries in both, and a word inside an entry")
        .ThrowAsJavaScriptException();
    return env.Undefined();
  }
  if (size == sizeof delta) {
    AddToAll(source, target, length / size, delta);
    return env.Undefined();
  }
  if (source != target && length > 0) std::memcpy(target, source, length);
  for (size_t at = word; at < length; at += size) AddToWord(target + at, target + at, delta);
  return env.Undefined();
}

}  // namespace

void InitWords(Napi::Env env, Napi::Object exports) {
  exports.Set("addToWords", Napi::Function::New(env, AddToWords, "addToWords"));
}
