// CRC32C (Castagnoli polynomial, RFC 3720 appendix B.4), by the processor where it can and by tables where it can't.
#ifndef MOOVEDGE_SHM_CRC_H_
#define MOOVEDGE_SHM_CRC_H_

#include <cstddef>
#include <cstdint>

namespace shm {

/** CRC32C of what `crc` covers followed by `length` bytes at `data`. Starts with 0. */
uint32_t Crc32c(uint32_t crc, const void* data, size_t length);

/** The same by tables only: what processors without the instruction use, and what the tests compare with. */
uint32_t Crc32cPortable(uint32_t crc, const void* data, size_t length);

/** True when the processor's instruction is used. */
bool Crc32cIsHardware();

}  // namespace shm

#endif  // MOOVEDGE_SHM_CRC_H_
