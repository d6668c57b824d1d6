// Tables of samples, for JavaScript. src/base/native.ts describes what is exported here.
#include "sampling.h"

#include <cstddef>
#include <cstdint>

#include "arguments.h"
#include "samples.h"

namespace {

/** A column of `count` samples; an exception is pending when it is shorter. */
template <typename T>
bool ToColumn(napi_env env, napi_value value, size_t count, const T** column) {
  uint32_t* words;
  size_t length;
  if (!ToWords(env, value, &words, &length)) return false;
  *column = reinterpret_cast<const T*>(words);
  if (length >= count) return true;
  napi_throw_range_error(env, nullptr, "expected a number for each sample");
  return false;
}

/** sumSamples(sizes, durations, compositions, flags, count, from, rules, sums) */
Napi::Value Sum(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Samples samples{};
  uint32_t count, from;
  const double *rules, *sums;
  size_t rule_count, sum_count;
  if (!ToUint32(env, info[4], &count) || !ToUint32(env, info[5], &from) ||
      !ToColumn(env, info[0], count, &samples.sizes) || !ToColumn(env, info[1], count, &samples.durations) ||
      !ToColumn(env, info[2], count, &samples.compositions) || !ToColumn(env, info[3], count, &samples.flags) ||
      !ToNumbers(env, info[6], &rules, &rule_count) || !ToNumbers(env, info[7], &sums, &sum_count)) {
    return env.Undefined();
  }
  if (rule_count != sizeof(SampleRules) / sizeof *rules || sum_count != sizeof(SampleSums) / sizeof *sums) {
    Napi::RangeError::New(env, "expected as many rules and sums as there are").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  samples.count = count;
  const SampleRules how = {rules[0], rules[1], rules[2], rules[3], rules[4]};
  // JavaScript gave the array to be written to.
  auto* result = reinterpret_cast<SampleSums*>(const_cast<double*>(sums));
  return Napi::Number::New(env, static_cast<double>(SumSamples(samples, from, how, result)));
}

/** expandRuns(entries, values, from, count) */
Napi::Value Expand(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  uint8_t* entries;
  uint32_t* values;
  size_t length, room;
  uint32_t from, count;
  if (!ToBytes(env, info[0], &entries, &length) || !ToWords(env, info[1], &values, &room) ||
      !ToUint32(env, info[2], &from) || !ToUint32(env, info[3], &count)) {
    return env.Undefined();
  }
  if (count > room) {
    Napi::RangeError::New(env, "expected room for all values").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  return Napi::Number::New(env, static_cast<double>(ExpandRuns(entries, length, values, from, count)));
}

/** readWords(bytes, values, count) */
Napi::Value Read(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  uint8_t* bytes;
  uint32_t* values;
  size_t length, room;
  uint32_t count;
  if (!ToBytes(env, info[0], &bytes, &length) || !ToWords(env, info[1], &values, &room) ||
      !ToUint32(env, info[2], &count)) {
    return env.Undefined();
  }
  if (count > room || count > length / sizeof *values) {
    Napi::RangeError::New(env, "expected as many words, and room for them").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  ReadWords(bytes, values, count);
  return env.Undefined();
}

}  // namespace

void InitSampling(Napi::Env env, Napi::Object exports) {
  exports.Set("sumSamples", Napi::Function::New(env, Sum, "sumSamples"));
  exports.Set("expandRuns", Napi::Function::New(env, Expand, "expandRuns"));
  exports.Set("readWords", Napi::Function::New(env, Read, "readWords"));
}
