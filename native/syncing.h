// Makes all of a file system durable at once, which costs one flush of its disk where each file would cost its own.
#ifndef MOOVEDGE_SYNCING_H_
#define MOOVEDGE_SYNCING_H_

#include <napi.h>

/** Adds `syncFileSystem`. */
void InitSyncing(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_SYNCING_H_
