// Blocks of the disk tier for JavaScript, which are read and verified here; src/base/native.ts describes what is
// exported, src/cache/disk/disk-record.ts draws what is stored.
#include "disk_blocks.h"

#include <endian.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "arguments.h"
#include "lmdb_file.h"
#include "shm_crc.h"
#include "shm_layout.h"

namespace {

constexpr size_t kSequenceBytes = 8;
constexpr size_t kBlockKeyBytes = 20;
constexpr size_t kKeyBytes = kSequenceBytes + kBlockKeyBytes;

// Of a value.
constexpr uint32_t kMagic = 0x3142564d;
constexpr size_t kLengthAt = 4;
constexpr size_t kChecksumAt = 8;
constexpr size_t kKeyAt = 16;
constexpr size_t kDataAt = 48;

/** Buffers begin at a page, as values do, so that whole pages are copied. */
constexpr size_t kPage = 4096;
constexpr size_t kHead = LmdbFile::kPageHead + kDataAt;
constexpr size_t kStride = (kHead + shm::kBlockSize + kPage - 1) / kPage * kPage;
constexpr uint32_t kMostBuffers = 1024;

/** What became of a read. */
enum class Result : int { kFound = 1, kAbsent = 0, kWaits = -1, kDamaged = -2, kFailed = -3 };

struct BlockKey {
  uint8_t bytes[kKeyBytes];
};

Result ResultOf(int found) {
  switch (found) {
    case LmdbFile::kFound:
      return Result::kFound;
    case LmdbFile::kAbsent:
      return Result::kAbsent;
    case -EAGAIN:
    // Reads that do not wait are not known to every filesystem.
    case -EOPNOTSUPP:
    case -ENOSYS:
    case -EINVAL:
      return Result::kWaits;
    default:
      return Result::kFailed;
  }
}

bool IsRight(const uint8_t* pages, const BlockKey& key, size_t length) {
  const uint8_t* value = pages + LmdbFile::kPageHead;
  uint32_t magic, stored, checksum;
  std::memcpy(&magic, value, sizeof magic);
  std::memcpy(&stored, value + kLengthAt, sizeof stored);
  std::memcpy(&checksum, value + kChecksumAt, sizeof checksum);
  return magic == kMagic && stored == length &&
         std::memcmp(value + kKeyAt, key.bytes + kSequenceBytes, kBlockKeyBytes) == 0 &&
         shm::Crc32c(0, value + kDataAt, length) == checksum;
}

/**
 * Where blocks were found last, so that the way through the trees is gone once for each. No more than a guess: the ring
 * goes on, so whoever reads there has to verify what it gets. All threads use it.
 */
class Places {
 public:
  static constexpr uint64_t kNone = ~uint64_t{0};

  uint64_t Guess(const BlockKey& key) const {
    const uint64_t sequence = SequenceOf(key);
    const uint64_t word = words_[sequence % kCount].load(std::memory_order_relaxed);
    return word != 0 && word >> kPageBits == TagOf(sequence) ? (word & kPageMask) * kPage : kNone;
  }

  /** Pages that are too far away for a word are not noted. */
  void Note(const BlockKey& key, uint64_t offset) {
    const uint64_t sequence = SequenceOf(key);
    if (offset % kPage != 0 || offset / kPage > kPageMask) return;
    words_[sequence % kCount].store(TagOf(sequence) << kPageBits | offset / kPage, std::memory_order_relaxed);
  }

 private:
  /** A power of two: blocks of 4 GiB, which follow each other by their sequence number. */
  static constexpr uint64_t kCount = 16384;
  /** Of a word the number of a page; what is above it tells sequence numbers apart. */
  static constexpr uint64_t kPageBits = 40;
  static constexpr uint64_t kPageMask = (uint64_t{1} << kPageBits) - 1;

  static uint64_t SequenceOf(const BlockKey& key) {
    uint64_t sequence;
    std::memcpy(&sequence, key.bytes, sizeof sequence);
    return be64toh(sequence);
  }
  static uint64_t TagOf(uint64_t sequence) { return sequence / kCount & (~uint64_t{0} >> kPageBits); }

  std::atomic<uint64_t> words_[kCount] = {};
};

/** Reads a block into `pages`, kStride bytes. */
Result ReadBlock(const LmdbFile& file, Places& places, const BlockKey& key, size_t length, bool mayWait,
                 uint8_t* pages) {
  const uint64_t guess = places.Guess(key);
  if (guess != Places::kNone) {
    const int found = file.Read(guess, pages, kHead + length, mayWait);
    if (found == LmdbFile::kFound && IsRight(pages, key, length)) return Result::kFound;
  }
  uint64_t before = ~uint64_t{0};
  for (int attempt = 0; attempt < 4; attempt++) {
    uint64_t offset;
    int found = file.Find(key.bytes, kKeyBytes, mayWait, &offset);
    if (found == LmdbFile::kFound) {
      found = file.Read(offset, pages, kHead + length, mayWait);
      if (found == LmdbFile::kFound && IsRight(pages, key, length)) {
        places.Note(key, offset);
        return Result::kFound;
      }
      if (found == LmdbFile::kFound && offset == before) return Result::kDamaged;
      before = offset;
    }
    // The ring may have gone on meanwhile, and put another block or another part of a tree there: then the block has
    // gone. What is still said to be there is damaged.
    if (found != LmdbFile::kFound && found != -EBADMSG) return ResultOf(found);
  }
  return Result::kFailed;
}

/** Has the kernel read a block ahead. Found: it is in memory. */
Result BringNear(const LmdbFile& file, const Places& places, const BlockKey& key, size_t length, bool mayWait) {
  uint64_t offset = places.Guess(key);
  if (offset == Places::kNone) {
    const int found = file.Find(key.bytes, kKeyBytes, mayWait, &offset);
    if (found != LmdbFile::kFound) return ResultOf(found);
  }
  uint8_t byte;
  if (file.Read(offset, &byte, 1, false) == LmdbFile::kFound &&
      file.Read(offset + kHead + length - 1, &byte, 1, false) == LmdbFile::kFound) {
    return Result::kFound;
  }
  if (!mayWait) return Result::kWaits;
  file.WillNeed(offset, kHead + length);
  return Result::kFound;
}

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
    if (buffers_ == 0 || buffers_ > kMostBuffers || !file_.Open(path.c_str(), table.c_str())) {
      Napi::Error::New(env, path + ": expected a data file of LMDB that can be read").ThrowAsJavaScriptException();
      return;
    }
    Napi::ArrayBuffer memory = Napi::ArrayBuffer::New(env, buffers_ * kStride + kPage);
    Napi::ArrayBuffer key = Napi::ArrayBuffer::New(env, sizeof(BlockKey));
    if (env.IsExceptionPending()) return;
    auto* bytes = static_cast<uint8_t*>(memory.Data());
    const size_t skipped = (kPage - reinterpret_cast<uintptr_t>(bytes) % kPage) % kPage;
    pages_ = bytes + skipped;
    key_ = static_cast<BlockKey*>(key.Data());
    // JavaScript may overwrite the fields: the references keep what is read into.
    Napi::Object self = info.This().As<Napi::Object>();
    self.Set("memory", memory);
    self.Set("key", key);
    self.Set("start", static_cast<double>(skipped + kHead));
    self.Set("stride", static_cast<double>(kStride));
    memory_ = Napi::Persistent(memory);
    keyMemory_ = Napi::Persistent(key);
  }

 private:
  /** A read on a thread of the pool. */
  class Job : public Napi::AsyncWorker {
   public:
    Job(DiskBlocks* blocks, const BlockKey& key, size_t length, uint8_t* pages, Napi::Function done)
        : Napi::AsyncWorker(done), blocks_(blocks), key_(key), length_(length), pages_(pages) {
      blocks->Begin();
    }

    void Execute() override {
      result_ = pages_ == nullptr ? BringNear(blocks_->file_, blocks_->places_, key_, length_, true)
                                  : ReadBlock(blocks_->file_, blocks_->places_, key_, length_, true, pages_);
    }
    void OnOK() override {
      Napi::HandleScope scope(Env());
      blocks_->End();
      Callback().Call({Napi::Number::New(Env(), static_cast<int>(result_))});
    }

   private:
    DiskBlocks* blocks_;
    BlockKey key_;
    size_t length_;
    uint8_t* pages_;
    Result result_ = Result::kFailed;
  };

  void Begin() {
    Ref();
    running_++;
  }
  void End() {
    if (--running_ == 0 && closed_) file_.Close();
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
    return Tell(info.Env(), ReadBlock(file_, places_, *key_, length, false, pages));
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
    return Tell(info.Env(), BringNear(file_, places_, *key_, length, false));
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
    if (running_ == 0) file_.Close();
    return info.Env().Undefined();
  }

  LmdbFile file_;
  Places places_;
  uint32_t buffers_ = 0;
  uint8_t* pages_ = nullptr;
  BlockKey* key_ = nullptr;
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
