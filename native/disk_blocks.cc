// Blocks of the disk tier for JavaScript; src/base/native.ts describes what is exported.
#include "disk_blocks.h"

#include <cstdint>
#include <string>

#include "arguments.h"
#include "shm_layout.h"
#include "stored_blocks.h"

namespace {

using Result = StoredBlocks::Result;

constexpr size_t kPage = StoredBlocks::kPage;
constexpr size_t kStride = StoredBlocks::kStride;
constexpr uint32_t kMostBuffers = 1024;

class DiskBlocks : public Napi::ObjectWrap<DiskBlocks> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "NativeDiskBlocks",
                       {InstanceMethod<&DiskBlocks::Read>("read"), InstanceMethod<&DiskBlocks::Load>("load"),
                        InstanceMethod<&DiskBlocks::IsNear>("isNear"), InstanceMethod<&DiskBlocks::Bring>("bring"),
                        InstanceMethod<&DiskBlocks::Close>("close")});
  }

  /** new NativeDiskBlocks(path, table, buffers) */
  explicit DiskBlocks(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DiskBlocks>(info) {
    Napi::Env env = info.Env();
    const std::string path = info[0].ToString().Utf8Value();
    const std::string table = info[1].ToString().Utf8Value();
    if (!ToUint32(env, info[2], &buffers_)) return;
    if (buffers_ == 0 || buffers_ > kMostBuffers || !blocks_.Open(path.c_str(), table.c_str())) {
      Napi::Error::New(env, path + ": expected a data file of LMDB that can be read").ThrowAsJavaScriptException();
      return;
    }
    Napi::ArrayBuffer memory = Napi::ArrayBuffer::New(env, buffers_ * kStride + kPage);
    Napi::ArrayBuffer key = Napi::ArrayBuffer::New(env, sizeof(StoredBlocks::Key));
    if (env.IsExceptionPending()) return;
    auto* bytes = static_cast<uint8_t*>(memory.Data());
    const size_t skipped = (kPage - reinterpret_cast<uintptr_t>(bytes) % kPage) % kPage;
    pages_ = bytes + skipped;
    key_ = static_cast<StoredBlocks::Key*>(key.Data());
    // JavaScript may overwrite the fields: the references keep what is read into.
    Napi::Object self = info.This().As<Napi::Object>();
    self.Set("memory", memory);
    self.Set("key", key);
    self.Set("start", static_cast<double>(skipped + StoredBlocks::kHead));
    self.Set("stride", static_cast<double>(kStride));
    memory_ = Napi::Persistent(memory);
    keyMemory_ = Napi::Persistent(key);
  }

 private:
  /** A read on a thread of the pool. */
  class Job : public Napi::AsyncWorker {
   public:
    Job(DiskBlocks* blocks, const StoredBlocks::Key& key, size_t length, uint8_t* pages, Napi::Function done)
        : Napi::AsyncWorker(done), blocks_(blocks), key_(key), length_(length), pages_(pages) {
      blocks->Begin();
    }

    void Execute() override {
      const StoredBlocks& stored = blocks_->blocks_;
      result_ = pages_ == nullptr ? stored.BringNear(key_, length_, true) : stored.Read(key_, length_, true, pages_);
    }
    void OnOK() override {
      Napi::HandleScope scope(Env());
      blocks_->End();
      Callback().Call({Napi::Number::New(Env(), static_cast<int>(result_))});
    }

   private:
    DiskBlocks* blocks_;
    StoredBlocks::Key key_;
    size_t length_;
    uint8_t* pages_;
    Result result_ = Result::kFailed;
  };

  void Begin() {
    Ref();
    running_++;
  }
  void End() {
    if (--running_ == 0 && closed_) blocks_.Close();
    Unref();
  }

  /** Takes the number of bytes and, unless `pages` is null, that of a buffer before it. */
  bool Take(const Napi::CallbackInfo& info, uint32_t* length, uint8_t** pages) {
    uint32_t buffer = 0;
    const size_t first = pages == nullptr ? 0 : 1;
    if ((first == 1 && !ToUint32(info.Env(), info[0], &buffer)) || !ToUint32(info.Env(), info[first], length))
      return false;
    if (closed_ || buffer >= buffers_ || *length < 1 || *length > shm::kBlockSize) {
      Napi::RangeError::New(info.Env(), "expected an open file, one of its buffers, and the length of a block")
          .ThrowAsJavaScriptException();
      return false;
    }
    if (pages != nullptr) *pages = pages_ + buffer * kStride;
    return true;
  }

  Napi::Value Tell(Napi::Env env, Result result) { return Napi::Number::New(env, static_cast<int>(result)); }

  /** read(buffer, length) */
  Napi::Value Read(const Napi::CallbackInfo& info) {
    uint32_t length;
    uint8_t* pages;
    if (!Take(info, &length, &pages)) return info.Env().Undefined();
    return Tell(info.Env(), blocks_.Read(*key_, length, false, pages));
  }

  /** load(buffer, length, done) */
  Napi::Value Load(const Napi::CallbackInfo& info) {
    uint32_t length;
    uint8_t* pages;
    if (!Take(info, &length, &pages)) return info.Env().Undefined();
    (new Job(this, *key_, length, pages, info[2].As<Napi::Function>()))->Queue();
    return info.Env().Undefined();
  }

  /** isNear(length) */
  Napi::Value IsNear(const Napi::CallbackInfo& info) {
    uint32_t length;
    if (!Take(info, &length, nullptr)) return info.Env().Undefined();
    return Tell(info.Env(), blocks_.BringNear(*key_, length, false));
  }

  /** bring(length, done) */
  Napi::Value Bring(const Napi::CallbackInfo& info) {
    uint32_t length;
    if (!Take(info, &length, nullptr)) return info.Env().Undefined();
    (new Job(this, *key_, length, nullptr, info[1].As<Napi::Function>()))->Queue();
    return info.Env().Undefined();
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    closed_ = true;
    if (running_ == 0) blocks_.Close();
    return info.Env().Undefined();
  }

  StoredBlocks blocks_;
  uint32_t buffers_ = 0;
  uint8_t* pages_ = nullptr;
  StoredBlocks::Key* key_ = nullptr;
  Napi::Reference<Napi::ArrayBuffer> memory_;
  Napi::Reference<Napi::ArrayBuffer> keyMemory_;
  uint32_t running_ = 0;
  bool closed_ = false;
};

}  // namespace

void InitDiskBlocks(Napi::Env env, Napi::Object exports) {
  Napi::Object constants = exports.Get("constants").As<Napi::Object>();
  const auto tell = [&constants](const char* name, Result value) { constants.Set(name, static_cast<double>(value)); };
  tell("diskFound", Result::kFound);
  tell("diskAbsent", Result::kAbsent);
  tell("diskWaits", Result::kWaits);
  tell("diskDamaged", Result::kDamaged);
  tell("diskFailed", Result::kFailed);
  exports.Set("DiskBlocks", DiskBlocks::Define(env));
}
