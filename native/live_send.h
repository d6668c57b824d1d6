// Sends one batch of a live stream to many sockets.
#ifndef MOOVEDGE_LIVE_SEND_H_
#define MOOVEDGE_LIVE_SEND_H_

#include <napi.h>

/** Adds the functions that src/base/native.ts describes. */
void InitLiveSend(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_LIVE_SEND_H_
