// The addon's entry: each part of it adds its functions to `exports`.
#include <napi.h>

#include "byte_locks.h"
#include "disk_blocks.h"
#include "gate.h"
#include "gathering.h"
#include "listener.h"
#include "live_ring.h"
#include "live_send.h"
#include "memory_tier.h"
#include "notify.h"
#include "opening.h"
#include "sampling.h"
#include "scatter.h"
#include "syncing.h"
#include "wire.h"
#include "words.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  // Constants that JavaScript repeats: when it loads the addon it compares its own with these.
  exports.Set("constants", Napi::Object::New(env));
  InitByteLocks(env, exports);
  InitDiskBlocks(env, exports);
  InitGate(env, exports);
  InitGathering(env, exports);
  InitListener(env, exports);
  InitLiveRing(env, exports);
  InitLiveSend(env, exports);
  InitMemoryTier(env, exports);
  InitNotify(env, exports);
  InitOpening(env, exports);
  InitSampling(env, exports);
  InitScatter(env, exports);
  InitSyncing(env, exports);
  InitWire(env, exports);
  InitWords(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(moovedge, Init)
