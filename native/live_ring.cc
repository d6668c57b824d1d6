// The rings of live streams for JavaScript. src/base/native.ts describes what is exported here.
//
// What is asked for each batch leaves its results in `facts`, numbers that both sides see, so that no call makes an
// object.
#include "live_ring.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "live_ring_reader.h"
#include "live_ring_writer.h"

namespace {

using live::RingReader;
using live::RingWriter;

/** Numbers of `facts`; the order is that in src/live/ring/ring-reader.ts. */
enum Fact : size_t {
  kHead,
  kTail,
  kState,
  kStateAge,
  kVersion,
  kEpoch,
  kOffset,
  kLength,
  kTimestamp,
  kFlags,
  kTagVersion,
  kTagEpoch,
  kSegment,
  kJoin,
  kAge,
  kEnd,
  kDiscontinuity,
  kPosition,
  kArrivedAt,
  kFacts,
};

void Throw(Napi::Env env, const shm::Status& status) {
  Napi::Error error = Napi::Error::New(env, status.message);
  error.Set("kind", status.kind == shm::Status::kHeld ? "held" : "unusable");
  error.ThrowAsJavaScriptException();
}

/** A whole number from 0 to 2^53 of JavaScript; false when it is none. */
bool ToWhole(const Napi::Value& value, uint64_t* number) {
  if (!value.IsNumber()) return false;
  const double found = value.As<Napi::Number>().DoubleValue();
  if (!(found >= 0 && found <= 9007199254740992.0)) return false;
  *number = static_cast<uint64_t>(found);
  return true;
}

/** A Uint8Array as its bytes, undefined as none; false when it is neither. */
bool ToPiece(const Napi::Value& value, live::Piece* piece) {
  *piece = {nullptr, 0};
  if (value.IsUndefined()) return true;
  if (!value.IsTypedArray()) return false;
  const auto array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != napi_uint8_array) return false;
  piece->bytes = array.As<Napi::Uint8Array>().Data();
  piece->length = array.ByteLength();
  return true;
}

/** Milliseconds since a tag came, at microseconds of the monotonic clock; 0 for one that never did. */
double AgeOf(uint64_t arrived) {
  const uint64_t now = shm::MonotonicUs();
  return arrived != 0 && now > arrived ? static_cast<double>(now - arrived) / 1000 : 0;
}

uint32_t Bounded(const Napi::Value& value, double most) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : 0;
  return number >= 1 && number <= most ? static_cast<uint32_t>(number) : 0;
}

class Writer : public Napi::ObjectWrap<Writer> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "NativeRingWriter",
                       {InstanceMethod<&Writer::SetHeaders>("setHeaders"), InstanceMethod<&Writer::Append>("append"),
                        InstanceMethod<&Writer::SetState>("setState"), InstanceMethod<&Writer::NewEpoch>("newEpoch"),
                        InstanceMethod<&Writer::BeginNumbers>("beginNumbers"),
                        InstanceMethod<&Writer::Timestamp>("timestamp"), InstanceMethod<&Writer::Head>("head"),
                        InstanceMethod<&Writer::Age>("age"), InstanceMethod<&Writer::Close>("close")});
  }

  /** (file, bytes, milliseconds, segment, createdAt), or (file) for a ring that there is. */
  explicit Writer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Writer>(info) {
    const std::string path = info[0].ToString().Utf8Value();
    shm::Status status;
    if (info.Length() > 1) {
      uint64_t createdAt = 0;
      if (!ToWhole(info[4], &createdAt)) createdAt = 0;
      status = writer_.Create(path, Bounded(info[1], static_cast<double>(live::kMaxData)), Bounded(info[2], 1e9),
                              Bounded(info[3], 1e9), createdAt);
    } else {
      status = writer_.Adopt(path);
    }
    if (!status.ok()) Throw(info.Env(), status);
  }

 private:
  bool IsOpen(Napi::Env env) const {
    if (writer_.isOpen()) return true;
    Napi::Error::New(env, "the ring is closed").ThrowAsJavaScriptException();
    return false;
  }

  /** setHeaders(metadata, video, audio, extra, hasVideo, hasAudio) */
  Napi::Value SetHeaders(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    live::Headers headers = {};
    if (!IsOpen(env)) return env.Undefined();
    if (!ToPiece(info[0], &headers.metadata) || !ToPiece(info[1], &headers.video) ||
        !ToPiece(info[2], &headers.audio) || !ToPiece(info[3], &headers.extra)) {
      Napi::TypeError::New(env, "expected bytes").ThrowAsJavaScriptException();
      return env.Undefined();
    }
    headers.hasVideo = info[4].ToBoolean();
    headers.hasAudio = info[5].ToBoolean();
    return Napi::Boolean::New(env, writer_.SetHeaders(headers));
  }

  /** append(type, timestamp, keyFrame, pieces) */
  Napi::Value Append(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    uint32_t type, timestamp;
    if (!IsOpen(env) || !ToUint32(env, info[0], &type) || !ToUint32(env, info[1], &timestamp)) return env.Undefined();
    pieces_.clear();
    if (info[3].IsArray()) {
      const auto given = info[3].As<Napi::Array>();
      pieces_.resize(given.Length());
      for (uint32_t i = 0; i < given.Length(); i++) {
        if (ToPiece(given.Get(i), &pieces_[i])) continue;
        Napi::TypeError::New(env, "expected pieces of bytes").ThrowAsJavaScriptException();
        return env.Undefined();
      }
    }
    const live::NewTag tag = {type, timestamp, info[2].ToBoolean(), pieces_.data(), pieces_.size()};
    return Napi::Number::New(env, static_cast<double>(writer_.Append(tag)));
  }

  Napi::Value SetState(const Napi::CallbackInfo& info) {
    uint32_t state;
    if (IsOpen(info.Env()) && ToUint32(info.Env(), info[0], &state)) writer_.SetState(static_cast<live::State>(state));
    return info.Env().Undefined();
  }

  Napi::Value NewEpoch(const Napi::CallbackInfo& info) {
    if (IsOpen(info.Env())) writer_.NewEpoch();
    return info.Env().Undefined();
  }

  /** beginNumbers(segment, discontinuity) */
  Napi::Value BeginNumbers(const Napi::CallbackInfo& info) {
    uint32_t segment, discontinuity;
    if (IsOpen(info.Env()) && ToUint32(info.Env(), info[0], &segment) && ToUint32(info.Env(), info[1], &discontinuity))
      writer_.BeginNumbers(segment, discontinuity);
    return info.Env().Undefined();
  }

  Napi::Value Timestamp(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), writer_.timestamp()); }

  /** head(): sequence behind the newest tag. */
  Napi::Value Head(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(writer_.head()));
  }

  /** age(): milliseconds since the newest tag came; 0 when there is none. */
  Napi::Value Age(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), AgeOf(writer_.arrived())); }

  /** close(remove) */
  Napi::Value Close(const Napi::CallbackInfo& info) {
    if (info[0].ToBoolean()) writer_.Remove();
    writer_.Close();
    return info.Env().Undefined();
  }

  RingWriter writer_;
  std::vector<live::Piece> pieces_;
};

class Reader : public Napi::ObjectWrap<Reader> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "NativeRingReader",
                       {InstanceMethod<&Reader::Refresh>("refresh"), InstanceMethod<&Reader::Look>("look"),
                        InstanceMethod<&Reader::Run>("run"), InstanceMethod<&Reader::Holds>("holds"),
                        InstanceMethod<&Reader::ReadHeaders>("headers"),
                        InstanceMethod<&Reader::HasWriter>("hasWriter"), InstanceMethod<&Reader::Close>("close")});
  }

  /** (file) */
  explicit Reader(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Reader>(info), reader_(std::make_shared<RingReader>()) {
    Napi::Env env = info.Env();
    const shm::Status status = reader_->Open(info[0].ToString().Utf8Value());
    if (!status.ok()) {
      Throw(env, status);
      return;
    }
    auto facts = Napi::Float64Array::New(env, kFacts);
    facts_ = facts.Data();
    const live::Geometry& g = reader_->file().geometry();
    // The mapping outlives this object as long as somebody has the data.
    auto* held = new std::shared_ptr<RingReader>(reader_);
    auto data = Napi::ArrayBuffer::New(
        env, reader_->file().data(), 2 * g.dataBytes,
        [](Napi::Env, void*, std::shared_ptr<RingReader>* reader) { delete reader; }, held);
    data_ = Napi::Weak(data);
    const auto object = info.This().As<Napi::Object>();
    object.Set("facts", facts);
    object.Set("data", data);
    object.Set("keep", Napi::Number::New(env, reader_->file().keepMs()));
    object.Set("segment", Napi::Number::New(env, reader_->file().segmentMs()));
    object.Set("size", Napi::Number::New(env, static_cast<double>(g.dataBytes)));
    object.Set("createdAt", Napi::Number::New(env, static_cast<double>(reader_->file().header().createdAt)));
  }

 private:
  bool IsOpen(Napi::Env env) const {
    if (reader_->file().isOpen()) return true;
    Napi::Error::New(env, "the ring is closed").ThrowAsJavaScriptException();
    return false;
  }

  void Put(Fact fact, uint64_t value) { facts_[fact] = static_cast<double>(value); }

  /** refresh(): facts up to kEpoch, and kJoin. False when the file makes no sense. */
  Napi::Value Refresh(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    if (!IsOpen(env)) return env.Undefined();
    const live::RingFile& file = reader_->file();
    live::Ends ends = {};
    // Acquire: all that came before the state is seen.
    const uint32_t state = file.header().state.load(std::memory_order_acquire);
    const uint64_t since = file.header().stateSince.load(std::memory_order_relaxed);
    if (!file.ReadEnds(&ends)) return Napi::Boolean::New(env, false);
    Put(kHead, ends.head);
    Put(kTail, ends.tail);
    Put(kState, state);
    const uint64_t now = shm::MonotonicMs();
    Put(kStateAge, now > since ? now - since : 0);
    Put(kVersion, file.header().version.load(std::memory_order_acquire));
    Put(kEpoch, file.header().epoch.load(std::memory_order_relaxed));
    live::Tag newest = {};
    facts_[kJoin] = -1;
    // An entry that is overwritten meanwhile is found at the next look.
    if (ends.head > ends.tail && file.ReadTag(ends.head - 1, &newest) && newest.join != live::kNone &&
        newest.join >= ends.tail)
      Put(kJoin, newest.join);
    return Napi::Boolean::New(env, true);
  }

  /** look(sequence): facts of a tag. False when it is not there any more. */
  Napi::Value Look(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    uint64_t sequence;
    if (!IsOpen(env) || !ToWhole(info[0], &sequence)) return Napi::Boolean::New(env, false);
    const live::RingFile& file = reader_->file();
    live::Tag tag = {};
    if (!file.ReadTag(sequence, &tag)) return Napi::Boolean::New(env, false);
    Put(kOffset, tag.position % file.geometry().dataBytes);
    Put(kLength, tag.length);
    Put(kTimestamp, tag.timestamp);
    Put(kFlags, tag.flags);
    Put(kTagVersion, tag.version);
    Put(kTagEpoch, tag.epoch);
    Put(kSegment, tag.segment);
    Put(kDiscontinuity, tag.discontinuity);
    Put(kPosition, tag.position);
    const live::RingHeader& header = file.header();
    const int64_t since = static_cast<int64_t>(tag.arrived - header.createdUs);
    Put(kArrivedAt, header.createdAt + static_cast<uint64_t>(std::max<int64_t>(0, since)) / 1000);
    facts_[kAge] = AgeOf(tag.arrived);
    return Napi::Boolean::New(env, true);
  }

  /** run(first, end, most): kOffset, kLength and kEnd. */
  Napi::Value Run(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    uint64_t first, end, most;
    live::Run run = {};
    if (!IsOpen(env) || !ToWhole(info[0], &first) || !ToWhole(info[1], &end) || !ToWhole(info[2], &most) ||
        !reader_->FindRun(first, end, most, &run))
      return Napi::Boolean::New(env, false);
    Put(kOffset, run.offset);
    Put(kLength, run.length);
    Put(kEnd, run.end);
    return Napi::Boolean::New(env, true);
  }

  Napi::Value Holds(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    uint64_t first;
    return Napi::Boolean::New(env, IsOpen(env) && ToWhole(info[0], &first) && reader_->Holds(first));
  }

  Napi::Value ReadHeaders(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    uint64_t version;
    live::HeaderCopy copy = {};
    if (!IsOpen(env) || !ToWhole(info[0], &version) || version > UINT32_MAX ||
        !reader_->ReadHeaders(static_cast<uint32_t>(version), &copy))
      return env.Undefined();
    auto headers = Napi::Object::New(env);
    const char* names[live::kHeaderParts] = {"metadata", "video", "audio", "extra"};
    size_t at = 0;
    for (int i = 0; i < live::kHeaderParts; i++) {
      if (copy.lengths[i] > 0)
        headers.Set(names[i], Napi::Buffer<uint8_t>::Copy(env, copy.bytes.data() + at, copy.lengths[i]));
      at += copy.lengths[i];
    }
    headers.Set("hasVideo", Napi::Boolean::New(env, (copy.tracks & 1) != 0));
    headers.Set("hasAudio", Napi::Boolean::New(env, (copy.tracks & 2) != 0));
    return headers;
  }

  Napi::Value HasWriter(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    return Napi::Boolean::New(env, IsOpen(env) && reader_->file().IsWhole() && reader_->file().HasWriter());
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    if (!reader_->file().isOpen()) return info.Env().Undefined();
    // JavaScript may still hold views: they become empty instead of pointing at nothing.
    Napi::ArrayBuffer data = data_.Value();
    if (!data.IsEmpty()) data.Detach();
    reader_->Close();
    return info.Env().Undefined();
  }

  std::shared_ptr<RingReader> reader_;
  double* facts_ = nullptr;
  Napi::Reference<Napi::ArrayBuffer> data_;
};

}  // namespace

void InitLiveRing(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeRingWriter", Writer::Define(env));
  exports.Set("NativeRingReader", Reader::Define(env));
}
