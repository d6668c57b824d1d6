#ifndef MOOVEDGE_SAMPLING_H_
#define MOOVEDGE_SAMPLING_H_

#include <napi.h>

/** Adds what reads and sums up tables of samples to the addon. */
void InitSampling(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_SAMPLING_H_
