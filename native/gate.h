#ifndef MOOVEDGE_GATE_H_
#define MOOVEDGE_GATE_H_

#include <napi.h>

/** Adds `openGate`, `guardPort`, `readAgain`, `takeRefusals` and `descriptorLimit` to the addon. */
void InitGate(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_GATE_H_
