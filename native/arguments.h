// Arguments of the addon's functions.
#ifndef MOOVEDGE_ARGUMENTS_H_
#define MOOVEDGE_ARGUMENTS_H_

#include <node_api.h>

#include <cstddef>
#include <cstdint>

/** Argument `value` as an unsigned number; an exception is pending when it is not one. */
bool ToUint32(napi_env env, napi_value value, uint32_t* number);

/** Argument `value`, a Uint8Array, as its bytes; an exception is pending when it is not one. */
bool ToBytes(napi_env env, napi_value value, uint8_t** bytes, size_t* length);

#endif  // MOOVEDGE_ARGUMENTS_H_
