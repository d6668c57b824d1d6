#include "arguments.h"

bool ToUint32(napi_env env, napi_value value, uint32_t* number) {
  if (napi_get_value_uint32(env, value, number) == napi_ok) return true;
  napi_throw_type_error(env, nullptr, "expected a number");
  return false;
}

bool ToDouble(napi_env env, napi_value value, double* number) {
  if (napi_get_value_double(env, value, number) == napi_ok) return true;
  napi_throw_type_error(env, nullptr, "expected a number");
  return false;
}

bool ToNumbers(napi_env env, napi_value value, const double** numbers, size_t* count) {
  napi_typedarray_type type;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, count, &data, nullptr, nullptr) == napi_ok &&
      type == napi_float64_array) {
    *numbers = static_cast<const double*>(data);
    return true;
  }
  napi_throw_type_error(env, nullptr, "expected a Float64Array");
  return false;
}

bool ToWords(napi_env env, napi_value value, uint32_t** words, size_t* count) {
  napi_typedarray_type type;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, count, &data, nullptr, nullptr) == napi_ok &&
      (type == napi_uint32_array || type == napi_int32_array)) {
    *words = static_cast<uint32_t*>(data);
    return true;
  }
  napi_throw_type_error(env, nullptr, "expected a Uint32Array or an Int32Array");
  return false;
}

bool ToBytes(napi_env env, napi_value value, uint8_t** bytes, size_t* length) {
  napi_typedarray_type type;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, length, &data, nullptr, nullptr) == napi_ok &&
      type == napi_uint8_array) {
    *bytes = static_cast<uint8_t*>(data);
    return true;
  }
  napi_throw_type_error(env, nullptr, "expected a Uint8Array");
  return false;
}
