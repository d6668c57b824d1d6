// Arithmetic on the big-endian words of MP4 tables, as they are sent.
#include "words.h"

#include <cstdint>
#include <cstring>

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

/** Writes `count` big-endian words, each with `delta` added modulo 2^32, from `from` to `to`, which overlap wholly or not at all. */
MOOVEDGE_VECTORS void AddToAll(const uint8_t* from, uint8_t* to, size_t count, uint32_t delta) {
  for (size_t i = 0; i < count; i++) {
    uint32_t word;
    std::memcpy(&word, from + i * sizeof word, sizeof word);
    word = Swapped(Swapped(word) + delta);
    std::memcpy(to + i * sizeof word, &word, sizeof word);
  }
}

/** The same for the word at `at`, one in each `size` bytes. */
void AddToEach(uint8_t* at, uint8_t* end, size_t size, uint32_t delta) {
  for (; at < end; at += size) AddToAll(at, at, 1, delta);
}

struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;
};

bool ToBytes(Napi::Value value, Bytes* bytes) {
  if (!value.IsTypedArray()) return false;
  const Napi::TypedArray array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != napi_uint8_array) return false;
  Napi::Uint8Array view = array.As<Napi::Uint8Array>();
  bytes->data = view.Data();
  bytes->length = view.ByteLength();
  return true;
}

/** addToWords(source, target, size, word, delta) */
Napi::Value AddToWords(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Bytes source, target;
  if (!ToBytes(info[0], &source) || !ToBytes(info[1], &target) || !info[2].IsNumber() || !info[3].IsNumber() || !info[4].IsNumber()) {
    Napi::TypeError::New(env, "expected two Uint8Arrays and three numbers").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const size_t size = info[2].As<Napi::Number>().Uint32Value();
  const size_t word = info[3].As<Napi::Number>().Uint32Value();
  const uint32_t delta = info[4].As<Napi::Number>().Uint32Value();
  const bool overlaps = source.data < target.data + target.length && target.data < source.data + source.length;
  if (size < sizeof delta || word > size - sizeof delta || source.length != target.length || source.length % size != 0 ||
      (overlaps && source.data != target.data)) {
    Napi::RangeError::New(env, "expected as many whole entries in both, and a word inside an entry").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  if (size == sizeof delta) {
    AddToAll(source.data, target.data, source.length / size, delta);
    return env.Undefined();
  }
  if (source.data != target.data && source.length > 0) std::memcpy(target.data, source.data, source.length);
  AddToEach(target.data + word, target.data + target.length, size, delta);
  return env.Undefined();
}

}  // namespace

void InitWords(Napi::Env env, Napi::Object exports) { exports.Set("addToWords", Napi::Function::New(env, AddToWords, "addToWords")); }
