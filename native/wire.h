// Connections to other edges for JavaScript.
#ifndef MOOVEDGE_WIRE_H_
#define MOOVEDGE_WIRE_H_

#include <napi.h>

/** Adds the class that src/base/native.ts describes. */
void InitWire(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_WIRE_H_
