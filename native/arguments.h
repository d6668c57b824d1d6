// Arguments of the addon's functions.
#ifndef MOOVEDGE_ARGUMENTS_H_
#define MOOVEDGE_ARGUMENTS_H_

#include <node_api.h>

#include <cstddef>
#include <cstdint>

/** Argument `value` as an unsigned number; an exception is pending when it is not one. */
bool ToUint32(napi_env env, napi_value value, uint32_t* number);

/** Argument `value` as a number; an exception is pending when it is not one. */
bool ToDouble(napi_env env, napi_value value, double* number);

/** Argument `value`, a Float64Array, as its numbers; an exception is pending when it is not one. */
bool ToNumbers(napi_env env, napi_value value, const double** numbers, size_t* count);

/** Argument `value`, a Uint32Array or Int32Array, as its words; an exception is pending when it is not one. */
bool ToWords(napi_env env, napi_value value, uint32_t** words, size_t* count);

/** Argument `value`, a Uint8Array, as its bytes; an exception is pending when it is not one. */
bool ToBytes(napi_env env, napi_value value, uint8_t** bytes, size_t* length);

#endif  // MOOVEDGE_ARGUMENTS_H_
