#include "shm_crc.h"

#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

namespace shm {

namespace {

/** The polynomial, bits reversed. */
constexpr uint32_t kPolynomial = 0x82f63b78;
/**
 * Bytes per lane: the instruction takes three cycles but starts one each cycle, so three lanes go at three times the
 * speed of one.
 */
constexpr size_t kLane = 2048;

using Operator = uint32_t[32];

/** Product of a bit matrix, given by its columns, and a vector. */
uint32_t Apply(const Operator& matrix, uint32_t vector) {
  uint32_t product = 0;
  for (int bit = 0; vector != 0; bit++, vector >>= 1) {
    if (vector & 1) product ^= matrix[bit];
  }
  return product;
}

struct Tables {
  /** bytes[k][b]: b followed by k zero bytes. */
  uint32_t bytes[8][256];
  /** shift[k][b]: what byte k of a checksum becomes after kLane zero bytes. */
  uint32_t shift[4][256];

  Tables() {
    for (uint32_t byte = 0; byte < 256; byte++) {
      uint32_t crc = byte;
      for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ kPolynomial : crc >> 1;
      bytes[0][byte] = crc;
    }
    for (int k = 1; k < 8; k++) {
      for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = bytes[k - 1][byte];
        bytes[k][byte] = crc >> 8 ^ bytes[0][crc & 0xff];
      }
    }
    // The operator for one zero bit, squared until it stands for kLane zero bytes.
    Operator zeros;
    zeros[0] = kPolynomial;
    for (int bit = 1; bit < 32; bit++) zeros[bit] = uint32_t{1} << (bit - 1);
    for (size_t bits = 1; bits < kLane * 8; bits *= 2) {
      Operator squared;
      for (int bit = 0; bit < 32; bit++) squared[bit] = Apply(zeros, zeros[bit]);
      std::memcpy(zeros, squared, sizeof zeros);
    }
    for (int k = 0; k < 4; k++) {
      for (uint32_t byte = 0; byte < 256; byte++) shift[k][byte] = Apply(zeros, byte << (8 * k));
    }
  }

  uint32_t Shift(uint32_t crc) const {
    return shift[0][crc & 0xff] ^ shift[1][crc >> 8 & 0xff] ^ shift[2][crc >> 16 & 0xff] ^ shift[3][crc >> 24];
  }
};

const Tables kTables;

uint64_t Load64(const uint8_t* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

#if defined(__x86_64__)
#define MOOVEDGE_CRC_TARGET __attribute__((target("sse4.2")))
MOOVEDGE_CRC_TARGET inline uint32_t Step64(uint32_t crc, uint64_t value) {
  return static_cast<uint32_t>(_mm_crc32_u64(crc, value));
}
MOOVEDGE_CRC_TARGET inline uint32_t Step8(uint32_t crc, uint8_t value) { return _mm_crc32_u8(crc, value); }
bool Detect() { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
// Assembly, because compilers declare the intrinsics only where the whole file may use the instructions.
#define MOOVEDGE_CRC_TARGET
inline uint32_t Step64(uint32_t crc, uint64_t value) {
  asm(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(value));
  return crc;
}
inline uint32_t Step8(uint32_t crc, uint8_t value) {
  asm(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(value));
  return crc;
}
bool Detect() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#else
bool Detect() { return false; }
#endif

#if defined(MOOVEDGE_CRC_TARGET)
MOOVEDGE_CRC_TARGET uint32_t Hardware(uint32_t crc, const void* data, size_t length) {
  const uint8_t* at = static_cast<const uint8_t*>(data);
  crc = ~crc;
  while (length >= 3 * kLane) {
    uint32_t second = 0;
    uint32_t third = 0;
    for (size_t i = 0; i < kLane; i += 8) {
      crc = Step64(crc, Load64(at + i));
      second = Step64(second, Load64(at + kLane + i));
      third = Step64(third, Load64(at + 2 * kLane + i));
    }
    crc = kTables.Shift(kTables.Shift(crc) ^ second) ^ third;
    at += 3 * kLane;
    length -= 3 * kLane;
  }
  for (; length >= 8; at += 8, length -= 8) crc = Step64(crc, Load64(at));
  for (; length > 0; at++, length--) crc = Step8(crc, *at);
  return ~crc;
}
#endif

const bool kHardware = Detect();

}  // namespace

uint32_t Crc32cPortable(uint32_t crc, const void* data, size_t length) {
  const uint8_t* at = static_cast<const uint8_t*>(data);
  const auto& table = kTables.bytes;
  crc = ~crc;
  for (; length >= 8; at += 8, length -= 8) {
    crc ^= static_cast<uint32_t>(at[0]) | static_cast<uint32_t>(at[1]) << 8 | static_cast<uint32_t>(at[2]) << 16 |
           static_cast<uint32_t>(at[3]) << 24;
    crc = table[7][crc & 0xff] ^ table[6][crc >> 8 & 0xff] ^ table[5][crc >> 16 & 0xff] ^ table[4][crc >> 24] ^
          table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]] ^ table[0][at[7]];
  }
  for (; length > 0; at++, length--) crc = crc >> 8 ^ table[0][(crc ^ *at) & 0xff];
  return ~crc;
}

uint32_t Crc32c(uint32_t crc, const void* data, size_t length) {
#if defined(MOOVEDGE_CRC_TARGET)
  if (kHardware) return Hardware(crc, data, length);
#endif
  return Crc32cPortable(crc, data, length);
}

bool Crc32cIsHardware() { return kHardware; }

}  // namespace shm
