#ifndef MOOVEDGE_MEMORY_TIER_H_
#define MOOVEDGE_MEMORY_TIER_H_

#include <napi.h>

/** Adds `openMemoryTier`, `inspectMemoryTier` and `crc32c` to the addon. */
void InitMemoryTier(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_MEMORY_TIER_H_
