// The rings of live streams for JavaScript.
#ifndef MOOVEDGE_LIVE_RING_H_
#define MOOVEDGE_LIVE_RING_H_

#include <napi.h>

/** Adds the functions that src/base/native.ts describes. */
void InitLiveRing(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_LIVE_RING_H_
