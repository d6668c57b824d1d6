// The memory tier for JavaScript. src/base/native.ts describes what is exported here.
//
// The calls made for each block take their arguments from and leave their results in `registers`, memory that both
// sides see, so that none of them makes an object.
#include "memory_tier.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "ready_answers.h"
#include "scatter.h"
#include "shm_cache.h"
#include "shm_crc.h"
#include "shm_doorbell.h"
#include "shm_gather.h"
#include "shm_run.h"

namespace {

/** Bytes per ArrayBuffer: a whole number of blocks, and the most that Node 20 takes. */
constexpr uint64_t kWindow = uint64_t{4} << 30;

const char* KindName(shm::Status::Kind kind) {
  switch (kind) {
    case shm::Status::kHeld:
      return "held";
    case shm::Status::kForeign:
      return "foreign";
    case shm::Status::kDamaged:
      return "damaged";
    case shm::Status::kSpace:
      return "space";
    case shm::Status::kArgument:
      return "argument";
    default:
      return "system";
  }
}

void Throw(Napi::Env env, const shm::Status& status) {
  Napi::Error error = Napi::Error::New(env, status.message);
  error.Set("kind", KindName(status.kind));
  error.ThrowAsJavaScriptException();
}

/** What `registers` holds, in 32-bit words. */
struct Registers {
  shm::Key key;
  uint32_t argument;
  /** The pinned slot, or the handle of a fill. */
  uint32_t slot;
  uint32_t watermark;
};

class MemoryTier {
 public:
  explicit MemoryTier(const shm::CacheOptions& options) : cache_(options) {}

  shm::Cache& cache() { return cache_; }
  Registers& registers() { return registers_; }
  shm::Run& run() { return run_; }
  shm::DoorbellThread& doorbell() { return doorbell_; }
  uint64_t* mail() { return mail_; }

  /** Makes the object that JavaScript holds, which owns this until `Close` or the end of the environment. */
  Napi::Object Expose(Napi::Env env, Napi::Function rung);

  uint64_t bytes() const { return uint64_t{cache_.file().geometry().slotCount} * shm::kBlockSize; }

  /** The blocks of a window as JavaScript sees them. */
  Napi::ArrayBuffer Window(Napi::Env env, uint32_t index) {
    const uint64_t at = index * kWindow;
    const shm::SharedFile& file = cache_.file();
    return Share(env, file.base() + file.geometry().data + at, static_cast<size_t>(std::min(kWindow, bytes() - at)));
  }

  void Close(bool detach) {
    if (!cache_.isOpen()) return;
    doorbell_.Stop();
    ForgetReady(&cache_);
    if (detach) {
      napi_remove_env_cleanup_hook(env_, AtExit, this);
      // JavaScript may still hold views: they become empty instead of pointing at nothing.
      for (Napi::Reference<Napi::ArrayBuffer>& buffer : buffers_) {
        buffer.Value().Detach();
        buffer.Reset();
      }
      buffers_.clear();
      rung_.Release();
    }
    cache_.Close();
  }

 private:
  static void AtExit(void* data) {
    MemoryTier* tier = static_cast<MemoryTier*>(data);
    tier->Close(false);
  }

  Napi::ArrayBuffer Share(Napi::Env env, void* data, size_t length) {
    Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, data, length);
    buffers_.push_back(Napi::Persistent(buffer));
    // The environment frees what is left at its end; running destructors then would be too late.
    buffers_.back().SuppressDestruct();
    return buffer;
  }

  shm::Cache cache_;
  Registers registers_ = {};
  shm::Run run_ = {};
  alignas(8) uint64_t mail_[shm::kMailClasses / 64] = {};
  shm::DoorbellThread doorbell_;
  Napi::ThreadSafeFunction rung_;
  std::vector<Napi::Reference<Napi::ArrayBuffer>> buffers_;
  napi_env env_ = nullptr;
};

/** The tier and up to `count` arguments of a call. Null when the tier is closed: an exception is pending then. */
MemoryTier* Enter(napi_env env, napi_callback_info info, size_t count, napi_value* arguments) {
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
  MemoryTier* tier = static_cast<MemoryTier*>(data);
  if (tier->cache().isOpen()) return tier;
  napi_throw_error(env, nullptr, "the memory tier is closed");
  return nullptr;
}

napi_value Number(napi_env env, int64_t value) {
  napi_value result = nullptr;
  napi_create_int64(env, value, &result);
  return result;
}

napi_value Boolean(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

/** Whether a block is pinned already, so that nothing more may be: then that is thrown. */
bool HasPin(napi_env env, MemoryTier* tier) {
  if (!tier->cache().processes().hasPin()) return false;
  napi_throw_error(env, nullptr, "a block is pinned already: release it first");
  return true;
}

napi_value Acquire(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  if (tier == nullptr) return nullptr;
  Registers& registers = tier->registers();
  if (HasPin(env, tier)) return nullptr;
  const int64_t readable = tier->cache().Acquire(registers.key, registers.argument != 0);
  registers.slot = tier->cache().pinnedSlot();
  return Number(env, readable);
}

/** gather(offsets, begins, at, target) */
napi_value Gather(napi_env env, napi_callback_info info) {
  napi_value arguments[4] = {};
  MemoryTier* tier = Enter(env, info, 4, arguments);
  const double *offsets, *begins;
  size_t count, bounds, room;
  double at;
  uint8_t* target;
  if (tier == nullptr || !ToNumbers(env, arguments[0], &offsets, &count) ||
      !ToNumbers(env, arguments[1], &begins, &bounds) || !ToDouble(env, arguments[2], &at) ||
      !ToBytes(env, arguments[3], &target, &room)) {
    return nullptr;
  }
  if (bounds == 0 || bounds - 1 != count) {
    napi_throw_range_error(env, nullptr, "expected a begin for each piece and one more");
    return nullptr;
  }
  if (HasPin(env, tier)) return nullptr;
  Registers& registers = tier->registers();
  const shm::Gathered gathered =
      shm::Gather(tier->cache(), registers.key.id, {offsets, begins, count}, at, registers.key.block, target, room);
  registers.watermark = gathered.readable;
  return Number(env, static_cast<int64_t>(gathered.bytes));
}

/** layOut(from, most) */
napi_value LayOut(napi_env env, napi_callback_info info) {
  napi_value arguments[2] = {};
  MemoryTier* tier = Enter(env, info, 2, arguments);
  uint32_t from;
  uint32_t most;
  if (tier == nullptr || !ToUint32(env, arguments[0], &from) || !ToUint32(env, arguments[1], &most)) return nullptr;
  if (HasPin(env, tier)) return nullptr;
  Registers& registers = tier->registers();
  shm::Run& run = tier->run();
  shm::PinRun(tier->cache(), registers.key, from, most, registers.argument != 0, &run);
  StandFor(run.places, run.count, run.bytes);
  registers.watermark = run.readable;
  return Number(env, static_cast<int64_t>(run.bytes));
}

/** letGo(taken) */
napi_value LetGo(napi_env env, napi_callback_info info) {
  napi_value argument = nullptr;
  MemoryTier* tier = Enter(env, info, 1, &argument);
  uint32_t taken;
  if (tier == nullptr || !ToUint32(env, argument, &taken)) return nullptr;
  ForgetStoodFor();
  shm::UnpinRun(tier->cache(), taken, &tier->run());
  return nullptr;
}

napi_value Has(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  return tier == nullptr ? nullptr : Boolean(env, tier->cache().Has(tier->registers().key));
}

napi_value Claim(napi_env env, napi_callback_info info) {
  napi_value argument = nullptr;
  MemoryTier* tier = Enter(env, info, 1, &argument);
  uint32_t onDisk;
  if (tier == nullptr || !ToUint32(env, argument, &onDisk)) return nullptr;
  Registers& registers = tier->registers();
  const shm::Claim claim =
      tier->cache().ClaimFill(registers.key, registers.argument, onDisk != 0, &registers.slot, &registers.watermark);
  return Number(env, static_cast<int64_t>(claim));
}

napi_value Append(napi_env env, napi_callback_info info) {
  napi_value arguments[2] = {};
  MemoryTier* tier = Enter(env, info, 2, arguments);
  uint32_t fill;
  uint8_t* bytes;
  size_t length;
  if (tier == nullptr || !ToUint32(env, arguments[0], &fill) || !ToBytes(env, arguments[1], &bytes, &length))
    return nullptr;
  return Number(env, static_cast<int64_t>(tier->cache().Append(fill, bytes, length)));
}

napi_value Receive(napi_env env, napi_callback_info info) {
  napi_value arguments[3] = {};
  MemoryTier* tier = Enter(env, info, 3, arguments);
  uint32_t fill;
  uint32_t socket;
  uint32_t most;
  if (tier == nullptr || !ToUint32(env, arguments[0], &fill) || !ToUint32(env, arguments[1], &socket) ||
      !ToUint32(env, arguments[2], &most)) {
    return nullptr;
  }
  Registers& registers = tier->registers();
  const auto descriptor = static_cast<int>(socket);
  return Number(env, tier->cache().Receive(fill, descriptor, most, &registers.slot, &registers.watermark));
}

napi_value Abandon(napi_env env, napi_callback_info info) {
  napi_value arguments[2] = {};
  MemoryTier* tier = Enter(env, info, 2, arguments);
  uint32_t fill;
  uint32_t discard;
  if (tier == nullptr || !ToUint32(env, arguments[0], &fill) || !ToUint32(env, arguments[1], &discard)) return nullptr;
  tier->cache().Abandon(fill, discard != 0);
  return nullptr;
}

napi_value Watch(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  if (tier == nullptr) return nullptr;
  return Boolean(env, tier->cache().Watch(tier->registers().key, tier->registers().argument));
}

napi_value FetchMail(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  if (tier == nullptr) return nullptr;
  const bool any = tier->cache().FetchMail(tier->mail());
  tier->doorbell().Fetched();
  return Boolean(env, any);
}

napi_value Reap(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  return tier == nullptr ? nullptr : Number(env, tier->cache().Reap());
}

/** Three arguments of a call: views, uses in thousandths, and within how many seconds. */
bool ToAdmission(napi_env env, const napi_value* arguments, shm::Admission* admission) {
  return ToUint32(env, arguments[0], &admission->minViews) && ToUint32(env, arguments[1], &admission->minUses) &&
         ToUint32(env, arguments[2], &admission->seconds);
}

napi_value Leave(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  if (tier != nullptr) tier->cache().Leave(tier->registers().key);
  return nullptr;
}

napi_value Finish(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  if (tier != nullptr) tier->cache().Finish(tier->registers().key);
  return nullptr;
}

napi_value IsWorthRoom(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  if (tier == nullptr) return nullptr;
  const Registers& registers = tier->registers();
  return Boolean(env, tier->cache().IsWorthRoom(registers.key, registers.argument != 0));
}

napi_value ExpectedUses(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  if (tier == nullptr) return nullptr;
  const Registers& registers = tier->registers();
  napi_value uses = nullptr;
  napi_create_double(env, double{tier->cache().ExpectedUses(registers.key, registers.argument)}, &uses);
  return uses;
}

napi_value EvictByDemand(napi_env env, napi_callback_info info) {
  napi_value arguments[1] = {};
  MemoryTier* tier = Enter(env, info, 1, arguments);
  bool byDemand;
  if (tier != nullptr && napi_get_value_bool(env, arguments[0], &byDemand) == napi_ok)
    tier->cache().EvictByDemand(byDemand);
  return nullptr;
}

napi_value EvictAhead(napi_env env, napi_callback_info info) {
  napi_value arguments[4] = {};
  MemoryTier* tier = Enter(env, info, 4, arguments);
  uint32_t freePermille;
  shm::Admission admission;
  if (tier == nullptr || !ToUint32(env, arguments[0], &freePermille) || !ToAdmission(env, arguments + 1, &admission))
    return nullptr;
  return Number(env, tier->cache().EvictAhead(freePermille, admission));
}

napi_value Coldest(napi_env env, napi_callback_info info) {
  napi_value arguments[5] = {};
  MemoryTier* tier = Enter(env, info, 5, arguments);
  uint32_t freePermille;
  shm::Admission admission;
  uint32_t limit;
  if (tier == nullptr || !ToUint32(env, arguments[0], &freePermille) || !ToAdmission(env, arguments + 1, &admission) ||
      !ToUint32(env, arguments[4], &limit)) {
    return nullptr;
  }
  const std::vector<shm::BlockName> blocks = tier->cache().Coldest(freePermille, admission, limit);
  Napi::Uint32Array words = Napi::Uint32Array::New(env, blocks.size() * 6);
  for (size_t i = 0; i < blocks.size(); i++) {
    for (size_t word = 0; word < 4; word++) words[i * 6 + word] = blocks[i].key.id[word];
    words[i * 6 + 4] = blocks[i].key.block;
    words[i * 6 + 5] = blocks[i].length;
  }
  return words;
}

napi_value Copy(napi_env env, napi_callback_info info) {
  napi_value target = nullptr;
  MemoryTier* tier = Enter(env, info, 1, &target);
  uint8_t* bytes;
  size_t length;
  if (tier == nullptr || !ToBytes(env, target, &bytes, &length)) return nullptr;
  if (tier->cache().processes().hasPin()) {
    napi_throw_error(env, nullptr, "a block is pinned: release it first");
    return nullptr;
  }
  return Number(env, tier->cache().Copy(tier->registers().key, bytes, length));
}

napi_value Drop(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  if (tier == nullptr) return nullptr;
  return Boolean(env, tier->cache().Drop(tier->registers().key));
}

napi_value MarkOnDisk(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  if (tier == nullptr) return nullptr;
  return Boolean(env, tier->cache().MarkOnDisk(tier->registers().key, tier->registers().argument != 0));
}

napi_value Scrub(napi_env env, napi_callback_info info) {
  napi_value argument = nullptr;
  MemoryTier* tier = Enter(env, info, 1, &argument);
  uint32_t budget;
  if (tier == nullptr || !ToUint32(env, argument, &budget)) return nullptr;
  if (tier->cache().processes().hasPin()) {
    napi_throw_error(env, nullptr, "a block is pinned: release it first");
    return nullptr;
  }
  return Number(env, static_cast<int64_t>(tier->cache().Scrub(budget)));
}

/** A function that sets number fields of `object`. */
auto NumbersOf(Napi::Object object) {
  return [object](const char* name, uint64_t value) mutable {
    object.Set(name, Napi::Number::New(object.Env(), static_cast<double>(value)));
  };
}

Napi::Object StatsObject(Napi::Env env, const shm::CacheStats& stats) {
  Napi::Object object = Napi::Object::New(env);
  auto set = NumbersOf(object);
  set("capacity", stats.capacity);
  set("used", stats.used);
  set("filling", stats.filling);
  set("pinned", stats.pinned);
  set("processes", stats.processes);
  set("hits", stats.hits);
  set("misses", stats.misses);
  set("evictedToDisk", stats.evictedToDisk);
  set("dropped", stats.dropped);
  set("checksumFailures", stats.checksumFailures);
  set("repairs", stats.repairs);
  set("oldestUse", stats.oldestUse / 1000);
  set("residency", static_cast<uint64_t>(stats.residency));
  set("partedWait", static_cast<uint64_t>(stats.partedWait));
  set("knownObjects", stats.knownObjects);
  return object;
}

napi_value Stats(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  return tier == nullptr ? nullptr : static_cast<napi_value>(StatsObject(env, tier->cache().Stats()));
}

napi_value IsHolder(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  return tier == nullptr ? nullptr : Boolean(env, tier->cache().IsHolder());
}

napi_value IsWhole(napi_env env, napi_callback_info info) {
  MemoryTier* tier = Enter(env, info, 0, nullptr);
  return tier == nullptr ? nullptr : Boolean(env, tier->cache().file().IsWhole());
}

napi_value Window(napi_env env, napi_callback_info info) {
  napi_value argument = nullptr;
  MemoryTier* tier = Enter(env, info, 1, &argument);
  uint32_t index;
  if (tier == nullptr || !ToUint32(env, argument, &index)) return nullptr;
  if (index * kWindow < tier->bytes()) return tier->Window(env, index);
  napi_throw_range_error(env, nullptr, "there is no such window");
  return nullptr;
}

napi_value Close(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  size_t count = 0;
  napi_get_cb_info(env, info, &count, nullptr, nullptr, &data);
  static_cast<MemoryTier*>(data)->Close(true);
  return nullptr;
}

/** The text of a Uint8Array. */
bool ToText(napi_env env, napi_value value, std::string* text) {
  uint8_t* bytes;
  size_t length;
  if (!ToBytes(env, value, &bytes, &length)) return false;
  text->assign(reinterpret_cast<const char*>(bytes), length);
  return true;
}

/** keepReady(start, end, numbers): src/base/native.ts says what of. */
napi_value KeepReadyOf(napi_env env, napi_callback_info info) {
  napi_value arguments[3] = {};
  MemoryTier* tier = Enter(env, info, 3, arguments);
  ReadyAnswer answer;
  const double* numbers;
  size_t count;
  if (tier == nullptr || !ToText(env, arguments[0], &answer.start) || !ToText(env, arguments[1], &answer.end) ||
      !ToNumbers(env, arguments[2], &numbers, &count))
    return nullptr;
  // Written so that it is false for what is no number.
  const auto fits = [](double number) { return number >= 0 && number <= 9007199254740991.0; };
  if (count != 8 || !std::all_of(numbers, numbers + count, fits)) {
    napi_throw_range_error(env, nullptr, "expected size, times, two counters with their values, and 0 or 1");
    return nullptr;
  }
  const auto unchanged = [&](double counter, double value) {
    const auto index = static_cast<uint64_t>(counter) % shm::kGenerations;
    return Unchanged{&tier->cache().generations()[index], static_cast<uint32_t>(value)};
  };
  answer.cache = &tier->cache();
  answer.key = tier->registers().key;
  answer.size = static_cast<uint64_t>(numbers[0]);
  answer.vouched = static_cast<uint64_t>(numbers[1]);
  answer.until = static_cast<uint64_t>(numbers[2]);
  answer.entry = unchanged(numbers[3], numbers[4]);
  answer.purges = unchanged(numbers[5], numbers[6]);
  answer.is_recorded = numbers[7] != 0;
  return Number(env, KeepReady(std::move(answer)));
}

Napi::Object MemoryTier::Expose(Napi::Env env, Napi::Function rung) {
  env_ = env;
  Napi::Object object = Napi::Object::New(env);
  const struct {
    const char* name;
    napi_callback call;
  } calls[] = {{"acquire", Acquire},
               {"gather", ::Gather},
               {"layOut", LayOut},
               {"letGo", LetGo},
               {"has", ::Has},
               {"claim", Claim},
               {"append", Append},
               {"receive", Receive},
               {"abandon", Abandon},
               {"watch", Watch},
               {"fetchMail", FetchMail},
               {"reap", Reap},
               {"evictAhead", EvictAhead},
               {"coldest", Coldest},
               {"copy", Copy},
               {"drop", Drop},
               {"markOnDisk", MarkOnDisk},
               {"scrub", Scrub},
               {"stats", Stats},
               {"isHolder", IsHolder},
               {"isWhole", IsWhole},
               {"finish", Finish},
               {"leave", Leave},
               {"evictByDemand", EvictByDemand},
               {"isWorthRoom", IsWorthRoom},
               {"window", ::Window},
               {"expectedUses", ExpectedUses},
               {"keepReady", KeepReadyOf},
               {"close", ::Close}};
  for (const auto& call : calls) {
    napi_value function = nullptr;
    napi_create_function(env, call.name, NAPI_AUTO_LENGTH, call.call, this, &function);
    object.Set(call.name, Napi::Value(env, function));
  }
  const shm::SharedFile& file = cache_.file();
  object.Set("registers", Share(env, &registers_, sizeof registers_));
  object.Set("mail", Share(env, mail_, sizeof mail_));
  object.Set("pin", Share(env, cache_.processes().hazard(), sizeof(uint32_t)));
  object.Set("generations", Share(env, cache_.generations(), shm::kGenerations * sizeof(uint32_t)));
  object.Set("capacity", Napi::Number::New(env, static_cast<double>(bytes())));
  object.Set("first", Napi::Boolean::New(env, cache_.first()));
  object.Set("clean", Napi::Boolean::New(env, cache_.wasClean()));
  object.Set("descriptor", Napi::Number::New(env, file.Inheritable()));
  char seed[17];
  std::snprintf(seed, sizeof seed, "%016" PRIx64, file.header().seed);
  object.Set("seed", Napi::String::New(env, seed));
  object.Set("created", Napi::String::New(env, file.created()));

  // One call in the queue is enough: it fetches all mail.
  rung_ = Napi::ThreadSafeFunction::New(env, rung, "moovedge doorbell", 1, 1);
  rung_.Unref(env);
  napi_add_env_cleanup_hook(env, AtExit, this);
  doorbell_.Start(cache_.processes().doorbell(), [this] { rung_.NonBlockingCall(); });
  return object;
}

/** openMemoryTier(options, rung) */
Napi::Value OpenMemoryTier(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 2 || !info[0].IsObject() || !info[1].IsFunction()) {
    Napi::TypeError::New(env, "expected options and a function").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const Napi::Object options = info[0].As<Napi::Object>();
  const auto number = [&](const char* name) { return options.Get(name).ToNumber().DoubleValue(); };
  const auto flag = [&](const char* name) { return options.Get(name).ToBoolean().Value(); };
  shm::OpenOptions open;
  open.path = options.Get("file").ToString().Utf8Value();
  const double descriptor = number("descriptor");
  open.descriptor = descriptor >= 0 && descriptor <= INT32_MAX ? static_cast<int>(descriptor) : -1;
  open.role = flag("supervisor") ? shm::Role::kSupervisor : shm::Role::kWorker;
  const double bytes = number("bytes");
  open.bytes = bytes >= 0 && bytes <= static_cast<double>(shm::kMaxBytes) ? static_cast<uint64_t>(bytes) : 0;
  open.keepSize = flag("keepSize");
  open.takeOver = flag("takeOver");
  open.reserve = flag("reserve");
  shm::CacheOptions cache;
  cache.fillPermille = static_cast<uint32_t>(std::min(1000.0, std::max(0.0, number("fillPermille"))));
  cache.followTimeoutMs = static_cast<uint32_t>(std::min(1e9, std::max(1.0, number("followTimeout"))));
  cache.verifyAlways = flag("verifyAlways");
  cache.notesDemand = flag("notesDemand");
  if (env.IsExceptionPending()) return env.Undefined();
  auto tier = std::make_unique<MemoryTier>(cache);
  const shm::Status status = tier->cache().Open(open);
  if (!status.ok()) {
    Throw(env, status);
    return env.Undefined();
  }
  // Kept for as long as the process lives, some kilobytes: JavaScript may call its functions after `close`.
  return tier.release()->Expose(env, info[1].As<Napi::Function>());
}

/** inspectMemoryTier(path) */
Napi::Value InspectMemoryTier(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  shm::Inspection found;
  const shm::Status status = shm::Inspect(info[0].ToString().Utf8Value(), &found);
  if (!status.ok()) {
    Throw(env, status);
    return env.Undefined();
  }
  Napi::Object object = StatsObject(env, found.stats);
  auto set = NumbersOf(object);
  set("fileSize", found.fileSize);
  set("createdAt", found.createdAt);
  set("openedAt", found.openedAt);
  set("whole", found.whole);
  set("partial", found.partial);
  set("damaged", found.damaged);
  set("onDisk", found.onDisk);
  set("bytes", found.bytes);
  set("objects", found.objects);
  set("awaited", found.awaited);
  set("wanted", found.wanted);
  set("unwanted", found.unwanted);
  object.Set("clean", Napi::Boolean::New(env, found.clean));
  Napi::Array processes = Napi::Array::New(env);
  for (const shm::ProcessInfo& process : found.attached) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("pid", Napi::Number::New(env, process.pid));
    entry.Set("role", process.role == static_cast<uint32_t>(shm::Role::kSupervisor) ? "supervisor" : "worker");
    entry.Set("since", Napi::Number::New(env, static_cast<double>(process.since)));
    processes.Set(processes.Length(), entry);
  }
  object.Set("attached", processes);
  return object;
}

/** inspectObject(path, id, count): for each block numbers as src/base/native.ts says */
Napi::Value InspectObject(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  shm::Key object = {};
  uint8_t* id;
  size_t length;
  uint32_t count;
  if (!ToBytes(env, info[1], &id, &length) || !ToUint32(env, info[2], &count)) return env.Undefined();
  if (length != sizeof object.id) {
    Napi::RangeError::New(env, "expected an id of four words").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  std::memcpy(object.id, id, length);
  std::vector<shm::BlockFound> blocks;
  const shm::Status status = shm::InspectObject(info[0].ToString().Utf8Value(), object, count, &blocks);
  if (!status.ok()) {
    Throw(env, status);
    return env.Undefined();
  }
  constexpr size_t kNumbers = 8;
  Napi::Float64Array numbers = Napi::Float64Array::New(env, blocks.size() * kNumbers);
  double* at = numbers.Data();
  for (const shm::BlockFound& block : blocks) {
    const double all[kNumbers] = {static_cast<double>(block.readable),
                                  static_cast<double>(block.views),
                                  block.isOnDisk ? 1.0 : 0.0,
                                  block.isCondemned ? 1.0 : 0.0,
                                  static_cast<double>(block.lastUse) / 1000,
                                  block.expected.awaited,
                                  block.expected.rate,
                                  block.expected.worth};
    std::memcpy(at, all, sizeof all);
    at += kNumbers;
  }
  return numbers;
}

/** crc32c(crc, bytes) */
Napi::Value Crc32c(const Napi::CallbackInfo& info) {
  uint32_t crc;
  uint8_t* bytes;
  size_t length;
  if (!ToUint32(info.Env(), info[0], &crc) || !ToBytes(info.Env(), info[1], &bytes, &length))
    return info.Env().Undefined();
  return Napi::Number::New(info.Env(), shm::Crc32c(crc, bytes, length));
}

}  // namespace

void InitMemoryTier(Napi::Env env, Napi::Object exports) {
  Napi::Object constants = exports.Get("constants").As<Napi::Object>();
  const auto tell = [&constants](const char* name, auto value) { constants.Set(name, static_cast<double>(value)); };
  tell("blockSize", shm::kBlockSize);
  tell("windowSize", kWindow);
  tell("mailClasses", shm::kMailClasses);
  tell("generations", shm::kGenerations);
  tell("claimFilling", shm::Claim::kFilling);
  tell("claimFollowing", shm::Claim::kFollowing);
  tell("claimPresent", shm::Claim::kPresent);
  tell("claimFull", shm::Claim::kFull);
  tell("appendAppended", shm::AppendResult::kAppended);
  tell("appendComplete", shm::AppendResult::kComplete);
  tell("appendEnded", shm::AppendResult::kEnded);
  tell("appendTooLong", shm::AppendResult::kTooLong);
  tell("receiveLost", shm::kLost);
  tell("absent", shm::kAbsent);
  exports.Set("openMemoryTier", Napi::Function::New(env, OpenMemoryTier, "openMemoryTier"));
  exports.Set("inspectMemoryTier", Napi::Function::New(env, InspectMemoryTier, "inspectMemoryTier"));
  exports.Set("inspectObject", Napi::Function::New(env, InspectObject, "inspectObject"));
  exports.Set("crc32c", Napi::Function::New(env, Crc32c, "crc32c"));
}
