#ifndef MOOVEDGE_WORDS_H_
#define MOOVEDGE_WORDS_H_

#include <napi.h>

/** Adds `addToWords` to the addon. */
void InitWords(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_WORDS_H_
