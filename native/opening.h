// Opens listening sockets for Node, which can't set SO_REUSEPORT in all of its versions, nor put a Unix socket in the
// place of another.
#ifndef MOOVEDGE_OPENING_H_
#define MOOVEDGE_OPENING_H_

#include <napi.h>

/** Adds `openListener` and `openUnixListener`. */
void InitOpening(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_OPENING_H_
