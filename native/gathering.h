#ifndef MOOVEDGE_GATHERING_H_
#define MOOVEDGE_GATHERING_H_

#include <napi.h>

/** Adds `gatherPieces` to the addon. */
void InitGathering(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_GATHERING_H_
