// Tables of samples, for JavaScript. src/base/native.ts describes what is exported here.
#include "sampling.h"

#include <cstddef>
#include <cstdint>

#include "arguments.h"
#include "samples.h"
#include "segment_rows.h"
#include "tables.h"

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

/** A Float64Array that JavaScript gave to be written to; an exception is pending when `value` is none. */
bool ToSums(napi_env env, napi_value value, double** sums, size_t* count) {
  const double* numbers;
  if (!ToNumbers(env, value, &numbers, count)) return false;
  *sums = const_cast<double*>(numbers);
  return true;
}

/** The same, which has as many numbers as a `T`. */
template <typename T>
bool ToSums(napi_env env, napi_value value, T** sums) {
  double* numbers;
  size_t count;
  if (!ToSums(env, value, &numbers, &count)) return false;
  *sums = reinterpret_cast<T*>(numbers);
  if (count == sizeof(T) / sizeof(double)) return true;
  napi_throw_range_error(env, nullptr, "expected as many sums as there are");
  return false;
}

/** Argument `value` as room for rows of `columns` numbers; an exception is pending when it is none. */
bool ToRows(napi_env env, napi_value value, size_t columns, Columns* rows) {
  size_t count;
  if (!ToSums(env, value, &rows->numbers, &count)) return false;
  rows->room = count / columns;
  return true;
}

/** cutRows(sizes, durations, compositions, flags, count, from, rules, places, state, rows, keys) */
Napi::Value Cut(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Samples samples{};
  uint32_t count, from;
  RowRules* rules;
  Places places{};
  RowState* state;
  Columns rows, keys;
  if (!ToUint32(env, info[4], &count) || !ToUint32(env, info[5], &from) ||
      !ToColumn(env, info[0], count, &samples.sizes) || !ToColumn(env, info[1], count, &samples.durations) ||
      !ToColumn(env, info[2], count, &samples.compositions) || !ToColumn(env, info[3], count, &samples.flags) ||
      !ToSums(env, info[6], &rules) || !ToNumbers(env, info[7], &places.seconds, &places.count) ||
      !ToSums(env, info[8], &state) || !ToRows(env, info[9], kRowColumns, &rows) ||
      !ToRows(env, info[10], kKeyColumns, &keys)) {
    return env.Undefined();
  }
  samples.count = count;
  return Napi::Number::New(env, static_cast<double>(CutRows(samples, from, *rules, places, state, rows, keys)));
}

/** endRows(rules, state, rows) */
Napi::Value End(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  RowRules* rules;
  RowState* state;
  Columns rows;
  if (!ToSums(env, info[0], &rules) || !ToSums(env, info[1], &state) || !ToRows(env, info[2], kRowColumns, &rows)) {
    return env.Undefined();
  }
  if (!EndRows(*rules, state, rows)) {
    Napi::RangeError::New(env, "expected room for the last rows").ThrowAsJavaScriptException();
  }
  return env.Undefined();
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

/** The entries and the number of the first, which are the first arguments; an exception is pending without them. */
bool ToEntries(const Napi::CallbackInfo& info, Entries* entries) {
  uint8_t* bytes;
  uint32_t from;
  if (!ToBytes(info.Env(), info[0], &bytes, &entries->length) || !ToUint32(info.Env(), info[1], &from)) return false;
  entries->bytes = bytes;
  entries->from = from;
  return true;
}

/** Argument `value` as marks of every `stride`th entry; an exception is pending when it is none. */
bool ToMarks(napi_env env, napi_value value, uint32_t stride, Marks* marks) {
  marks->stride = stride;
  return ToSums(env, value, &marks->sums, &marks->room);
}

/** sumRuns(entries, from, stride, sums, samplesBefore, ticksBefore) */
Napi::Value SumRunsOf(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entries entries;
  uint32_t stride;
  RunSums* sums;
  Marks samples, ticks;
  if (!ToEntries(info, &entries) || !ToUint32(env, info[2], &stride) || !ToSums(env, info[3], &sums) ||
      !ToMarks(env, info[4], stride, &samples) || !ToMarks(env, info[5], stride, &ticks)) {
    return env.Undefined();
  }
  SumRuns(entries, sums, samples, ticks);
  return env.Undefined();
}

/** sumOffsets(entries, from, size, sums) */
Napi::Value SumOffsetsOf(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entries entries;
  uint32_t size;
  OffsetSums* sums;
  if (!ToEntries(info, &entries) || !ToUint32(env, info[2], &size) || !ToSums(env, info[3], &sums)) {
    return env.Undefined();
  }
  if (size != 4 && size != 8) {
    Napi::RangeError::New(env, "expected entries of 4 or 8 bytes").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  SumOffsets(entries, size, sums);
  return env.Undefined();
}

/** sumChunks(entries, from, stride, rules, sums, samplesBefore) */
Napi::Value SumChunksOf(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entries entries;
  uint32_t stride;
  ChunkRules* rules;
  ChunkSums* sums;
  Marks before;
  if (!ToEntries(info, &entries) || !ToUint32(env, info[2], &stride) || !ToSums(env, info[3], &rules) ||
      !ToSums(env, info[4], &sums) || !ToMarks(env, info[5], stride, &before)) {
    return env.Undefined();
  }
  return Napi::Number::New(env, static_cast<uint32_t>(SumChunks(entries, *rules, sums, before)));
}

/** sumSizes(entries, from, stride, sum, before) */
Napi::Value SumSizesOf(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entries entries;
  uint32_t stride;
  double sum;
  Marks before;
  if (!ToEntries(info, &entries) || !ToUint32(env, info[2], &stride) || !ToDouble(env, info[3], &sum) ||
      !ToMarks(env, info[4], stride, &before)) {
    return env.Undefined();
  }
  return Napi::Number::New(env, SumSizes(entries, sum, before));
}

}  // namespace

void InitSampling(Napi::Env env, Napi::Object exports) {
  exports.Set("cutRows", Napi::Function::New(env, Cut, "cutRows"));
  exports.Set("endRows", Napi::Function::New(env, End, "endRows"));
  exports.Set("expandRuns", Napi::Function::New(env, Expand, "expandRuns"));
  exports.Set("readWords", Napi::Function::New(env, Read, "readWords"));
  exports.Set("sumRuns", Napi::Function::New(env, SumRunsOf, "sumRuns"));
  exports.Set("sumOffsets", Napi::Function::New(env, SumOffsetsOf, "sumOffsets"));
  exports.Set("sumChunks", Napi::Function::New(env, SumChunksOf, "sumChunks"));
  exports.Set("sumSizes", Napi::Function::New(env, SumSizesOf, "sumSizes"));
}
