// Locks of single bytes of a file, far past its end, which Node has none of. The kernel releases them when their holder
// dies.
#ifndef MOOVEDGE_BYTE_LOCKS_H_
#define MOOVEDGE_BYTE_LOCKS_H_

#include <napi.h>

/** Adds `tryLockByte` and `unlockByte`. */
void InitByteLocks(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_BYTE_LOCKS_H_
