// Blocks of the disk tier for JavaScript.
#ifndef MOOVEDGE_DISK_BLOCKS_H_
#define MOOVEDGE_DISK_BLOCKS_H_

#include <napi.h>

/** Adds the class `DiskBlocks`, and what its reads return, to `exports`. */
void InitDiskBlocks(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_DISK_BLOCKS_H_
