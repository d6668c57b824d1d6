#include "shm_cache.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

#include "shm_crc.h"
#include "shm_locked.h"

namespace shm {

Status Cache::Open(const OpenOptions& options) {
  Status status = file_.Open(options);
  return status.ok() ? Attach(options.role) : status;
}

Status Cache::OpenBeside(const Cache& other) {
  Status status = file_.OpenBeside(other.file_);
  return status.ok() ? Attach(Role::kWorker) : status;
}

Status Cache::Attach(Role role) {
  const Geometry& g = file_.geometry();
  auto* entries = reinterpret_cast<ProcessEntry*>(file_.base() + g.processes);
  auto processes = std::make_unique<ProcessTable>(&file_.header(), entries, file_.fd());
  const uint32_t pid = static_cast<uint32_t>(getpid());
  bool diedBefore = false;
  if (!processes->Attach(pid, static_cast<uint32_t>(role), &diedBefore)) {
    file_.Close();
    return Status::Error(Status::kHeld, "the cache file is in use by " + std::to_string(kProcesses) +
                                            " processes, which is as many as it takes");
  }
  processes_ = std::move(processes);
  seed_ = file_.header().seed;
  busyUntil_.assign(g.stripeCount, 0);
  demand_ = Demand(file_.base(), g);
  random_ = (seed_ ^ uint64_t{pid} << 32) | 1;
  fillLimit_ = std::max<uint64_t>(1, uint64_t{g.slotCount} * options_.fillPermille / 1000);
  first_ = !processes_->HasOthers();
  unreaped_ = diedBefore && !first_;
  if (first_) StartFirst();
  epoch_ = file_.header().epoch.load(std::memory_order_relaxed);
  if (role == Role::kSupervisor) {
    FileHeader& header = file_.header();
    header.holder.store(processes_->self().Pack(), std::memory_order_relaxed);
    header.holderPid.store(pid, std::memory_order_relaxed);
    header.holderSince.store(RealtimeUs() / 1000, std::memory_order_relaxed);
  }
  file_.ReleaseStart();
  Reap();
  return {};
}

void Cache::StartFirst() {
  FileHeader& header = file_.header();
  const std::string boot = BootId();
  wasClean_ = header.clean.load(std::memory_order_relaxed) == kClean &&
              std::strncmp(header.bootId, boot.c_str(), sizeof header.bootId) == 0;
  if (!wasClean_) {
    const uint32_t next = header.epoch.load(std::memory_order_relaxed) + 1;
    header.epoch.store(next == 0 ? 1 : next, std::memory_order_relaxed);
  }
  // Before anything is changed: from here on only a clean stop makes the blocks trusted.
  header.clean.store(kDirty, std::memory_order_release);
  std::memset(header.bootId, 0, sizeof header.bootId);
  std::memcpy(header.bootId, boot.c_str(), std::min(boot.size(), sizeof header.bootId - 1));
  header.openedAt.store(RealtimeUs() / 1000, std::memory_order_relaxed);
  processes_->ForgetOthers();
  for (uint32_t index = 0; index < file_.geometry().stripeCount; index++) {
    Stripe stripe = StripeAt(index);
    // No other process is attached, so a lock that is held was held by one that died.
    stripe.header().lock.store(0, std::memory_order_relaxed);
    stripe.Rebuild();
  }
}

void Cache::Close() {
  if (!isOpen()) return file_.Close();
  for (uint32_t fill = 0; fill < fills_.size(); fill++) Abandon(fill, false);
  EndPending();
  if (file_.TakeStart().ok()) {
    processes_->Detach();
    // The start lock is held: nobody attaches between the look and the mark.
    if (pending_.empty() && !processes_->HasOthers()) file_.header().clean.store(kClean, std::memory_order_release);
  }
  processes_.reset();
  file_.Close();
}

Stripe Cache::StripeAt(uint32_t index) const {
  return Stripe(file_.base(), file_.geometry(), seed_, index, *processes_);
}

bool Cache::IsHolder() const {
  return file_.header().holder.load(std::memory_order_relaxed) == processes_->self().Pack();
}

bool Cache::NeedsCheck(const SlotHeader& slot) const {
  // Relaxed: the worst that a stale value does is a second verification.
  return slot.verifiedEpoch.load(std::memory_order_relaxed) != epoch_;
}

bool Cache::Matches(uint32_t slot, const FillWord& fill) const {
  return Crc32c(0, data(slot), fill.watermark) == fill.crc;
}

void Cache::Damaged(Stripe& stripe, uint32_t local) {
  Stripe::Count(stripe.header().counters.checksumFailures);
  stripe.Discard(local);
}

int64_t Cache::Acquire(const Key& key, bool counted, uint32_t pin) {
  const uint64_t hash = HashKey(key, seed_);
  const uint32_t index = StripeOf(hash, file_.geometry().stripeCount);
  // Prefetched before the lock is taken, since the processor loads nothing ahead across its atomic exchange.
  StripeAt(index).Prefetch(hash);
  Locked stripe(*this, index);
  if (!stripe) return kAbsent;
  Counters& counters = stripe->header().counters;
  const uint32_t local = stripe->Find(key, hash);
  FillWord fill;
  if (local != kNil && !stripe->IsSound(local, &fill)) {
    Damaged(*stripe, local);
  } else if (local != kNil) {
    SlotHeader& slot = stripe->slot(local);
    const uint32_t global = stripe->global(local);
    stripe->Touch(local, counted);
    if (counted) Stripe::Count(fill.watermark > 0 ? counters.hits : counters.misses);
    processes_->Pin(global, pin);
    pinnedSlot_ = global;
    const bool noted = options_.notesDemand && counted && fill.watermark > 0;
    const bool check = (options_.verifyAlways || NeedsCheck(slot)) && slot.owner.load(std::memory_order_relaxed) == 0;
    if (!check && !noted) return fill.watermark;
    // The pin keeps the block in its slot while other processes use the stripe.
    stripe.Release();
    if (noted) demand_.See(key, demand_.Now());
    if (!check) return fill.watermark;
    return VerifyPinned(key, hash, fill, pin) ? int64_t{fill.watermark} : kAbsent;
  }
  if (counted) Stripe::Count(counters.misses);
  return kAbsent;
}

void Cache::CountView(const Key& key, uint32_t slot) {
  Locked stripe(*this, slot / file_.geometry().slotsPerStripe);
  if (!stripe) return;
  const uint32_t local = slot % stripe->size();
  const SlotHeader& header = stripe->slot(local);
  // The pin keeps the bytes, but the block may have been let go of meanwhile.
  if (header.state.load(std::memory_order_relaxed) != kUsed || !(header.key == key)) return;
  stripe->Touch(local, true);
  Stripe::Count(stripe->header().counters.hits);
  stripe.Release();
  if (options_.notesDemand) demand_.See(key, demand_.Now());
}

bool Cache::VerifyPinned(const Key& key, uint64_t hash, const FillWord& fill, uint32_t pin) {
  const uint32_t global = pinnedSlot_;
  const uint32_t index = StripeOf(hash, file_.geometry().stripeCount);
  Stripe unlocked = StripeAt(index);
  if (Matches(global, fill)) {
    unlocked.slot(global % unlocked.size()).verifiedEpoch.store(epoch_, std::memory_order_relaxed);
    return true;
  }
  Locked stripe(*this, index);
  if (stripe) {
    const uint32_t local = stripe->Find(key, hash);
    // Discarded only if the slot still holds what was verified: meanwhile another process may have discarded it and
    // filled the block again.
    if (local != kNil && stripe->global(local) == global &&
        stripe->slot(local).fill.load(std::memory_order_relaxed) == fill.Encode(global)) {
      Damaged(*stripe, local);
    }
  }
  Release(pin);
  return false;
}

bool Cache::Has(const Key& key) {
  const uint64_t hash = HashKey(key, seed_);
  Locked stripe(*this, StripeOf(hash, file_.geometry().stripeCount));
  if (!stripe) return false;
  const uint32_t local = stripe->Find(key, hash);
  FillWord fill;
  return local != kNil && stripe->IsSound(local, &fill) && fill.watermark == stripe->slot(local).length;
}

uint32_t Cache::Draw(uint32_t slots) {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return static_cast<uint32_t>((random_ >> 32) * slots >> 32);
}

bool Cache::IsWorthRoom(const Key& key, bool isWhole) {
  const double now = demand_.Now();
  demand_.See(key, now);
  if (!isWhole) return true;
  // Whoever reads it has it, and is no reason to keep it.
  demand_.Finish(key);
  Rivals rivals;
  {
    Locked stripe(*this, StripeOf(HashKey(key, seed_), file_.geometry().stripeCount));
    if (!stripe) return false;
    for (uint32_t look = 0; look < Rivals::kDrawn; look++) {
      const uint32_t slot = Draw(stripe->size());
      if (stripe->slot(slot).state.load(std::memory_order_relaxed) == kFree) rivals.free++;
      if (stripe->MayEvict(slot)) rivals.blocks[rivals.count++] = {stripe->slot(slot).key, slot, 0};
    }
  }
  // Without the lock: nobody waits while the table is asked.
  return demand_.IsWorthRoom(key, &rivals, demand_.At(now));
}

bool Cache::MayFillMore() const {
  uint64_t filling = 0;
  const Geometry& g = file_.geometry();
  // Relaxed, and not read at one moment: the share keeps fills from taking all room, and need not be exact. No stripe
  // fills more than it has, whatever a damaged count says until the stripe is used next.
  for (uint32_t index = 0; index < g.stripeCount; index++) {
    filling += std::min(g.slotsPerStripe, StripeAt(index).header().filling.load(std::memory_order_relaxed));
  }
  return filling < fillLimit_;
}

bool Cache::IsStalled(const SlotFollow& follow) const {
  const uint64_t progress = follow.progress.load(std::memory_order_relaxed);
  const uint64_t now = MonotonicMs();
  // A time well ahead of the clock is damage, and counts as no progress.
  return progress > now ? progress - now > 1000 : now - progress >= options_.followTimeoutMs;
}

Claim Cache::ClaimFill(const Key& key, uint32_t length, bool onDisk, uint32_t* fill, uint32_t* watermark) {
  EndPending();
  processes_->Reassert();
  if (length < 1 || length > kBlockSize) return Claim::kFull;
  const uint64_t hash = HashKey(key, seed_);
  const bool mayFill = MayFillMore();
  Locked stripe(*this, StripeOf(hash, file_.geometry().stripeCount));
  if (!stripe) return Claim::kFull;
  uint32_t local = stripe->Find(key, hash);
  FillWord from = {0, 0};
  if (local != kNil && !stripe->IsSound(local, &from)) {
    Damaged(*stripe, local);
    local = kNil;
  }
  if (local != kNil) {
    SlotHeader& slot = stripe->slot(local);
    if (slot.length == length && from.watermark == length) return Claim::kPresent;
    const uint64_t owner = slot.owner.load(std::memory_order_relaxed);
    if (owner != 0 && processes_->IsAlive(ProcessId::Unpack(static_cast<uint32_t>(owner)))) {
      return slot.length != length || IsStalled(stripe->follow(local)) ? Claim::kFull : Claim::kFollowing;
    }
    if (owner == 0 && !mayFill) return Claim::kFull;
    if (slot.length != length) {
      if (owner != 0) stripe->EndFill(local);
      stripe->Discard(local);
      local = kNil;
    } else {
      if (NeedsCheck(slot) && !Matches(stripe->global(local), from)) {
        Stripe::Count(stripe->header().counters.checksumFailures);
        from = {0, 0};
      }
      slot.fill.store(from.Encode(stripe->global(local)), std::memory_order_release);
      slot.verifiedEpoch.store(epoch_, std::memory_order_relaxed);
      stripe->TakeOver(local, BeginFill(key, stripe->global(local), from, length, fill));
      *watermark = from.watermark;
      return Claim::kFilling;
    }
  }
  if (!mayFill) return Claim::kFull;
  local = stripe->Allocate();
  if (local == kNil) return Claim::kFull;
  from = {0, 0};
  stripe->Place(local, key, hash, length, onDisk, BeginFill(key, stripe->global(local), from, length, fill), epoch_);
  *watermark = 0;
  return Claim::kFilling;
}

uint64_t Cache::BeginFill(const Key& key, uint32_t slot, const FillWord& from, uint32_t length, uint32_t* handle) {
  if (freeFills_.empty()) {
    freeFills_.push_back(static_cast<uint32_t>(fills_.size()));
    fills_.emplace_back();
  }
  *handle = freeFills_.back();
  freeFills_.pop_back();
  Fill& fill = fills_[*handle];
  fill.owner = uint64_t{++serial_} << 32 | processes_->self().Pack();
  fill.slot = slot;
  fill.length = length;
  fill.watermark = from.watermark;
  fill.crc = from.crc;
  fill.mailClass = MailClass(key);
  return fill.owner;
}

int64_t Cache::Receive(uint32_t handle, int socket, size_t most, uint32_t* slot, uint32_t* at) {
  if (handle >= fills_.size() || fills_[handle].owner == 0) return kLost;
  const Fill& fill = fills_[handle];
  const Stripe stripe = StripeAt(fill.slot / file_.geometry().slotsPerStripe);
  if (stripe.slot(fill.slot % stripe.size()).owner.load(std::memory_order_relaxed) != fill.owner) return kLost;
  *slot = fill.slot;
  *at = fill.watermark;
  const size_t room = std::min<size_t>(most, fill.length - fill.watermark);
  if (room == 0) return 0;
  const ssize_t count = recv(socket, data(fill.slot) + fill.watermark, room, MSG_DONTWAIT);
  if (count >= 0) return count;
  return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

AppendResult Cache::Append(uint32_t handle, const uint8_t* chunk, size_t length) {
  if (handle >= fills_.size() || fills_[handle].owner == 0) return AppendResult::kEnded;
  Fill& fill = fills_[handle];
  if (length > fill.length - fill.watermark) return AppendResult::kTooLong;
  Stripe stripe = StripeAt(fill.slot / file_.geometry().slotsPerStripe);
  SlotHeader& slot = stripe.slot(fill.slot % stripe.size());
  // Only damage to the file takes a slot from a living filler.
  if (slot.owner.load(std::memory_order_relaxed) != fill.owner) {
    Forget(handle);
    return AppendResult::kEnded;
  }
  if (length == 0) return AppendResult::kAppended;
  uint8_t* place = data(fill.slot) + fill.watermark;
  if (chunk != place) std::memcpy(place, chunk, length);
  // Computed from the chunk, which is not the slot unless it was received there: what is stored must be what was given,
  // even if the file's memory is bad.
  fill.crc = Crc32c(fill.crc, chunk, length);
  fill.watermark += static_cast<uint32_t>(length);
  SlotFollow& follow = stripe.follow(fill.slot % stripe.size());
  follow.progress.store(MonotonicMs(), std::memory_order_relaxed);
  // Release part: the bytes before the watermark. Sequentially consistent, with the loads and stores of `waiters` here
  // and in Watch: either the waiter sees this watermark or this sees the waiter's bit.
  slot.fill.store(FillWord{fill.watermark, fill.crc}.Encode(fill.slot), std::memory_order_seq_cst);
  if (fill.watermark == fill.length) {
    Finish(handle, false);
    return AppendResult::kComplete;
  }
  if (follow.waiters.load(std::memory_order_seq_cst) != 0) {
    const uint64_t waiters = follow.waiters.exchange(0, std::memory_order_seq_cst);
    processes_->Ring(waiters, fill.mailClass);
  }
  return AppendResult::kAppended;
}

void Cache::Abandon(uint32_t handle, bool discard) {
  if (handle < fills_.size() && fills_[handle].owner != 0) Finish(handle, discard);
}

void Cache::Forget(uint32_t handle) {
  fills_[handle].owner = 0;
  freeFills_.push_back(handle);
}

void Cache::Finish(uint32_t handle, bool discard) {
  PendingEnd end = {fills_[handle], discard};
  Forget(handle);
  if (!End(end)) pending_.push_back(end);
}

bool Cache::End(const PendingEnd& end) {
  const Fill& fill = end.fill;
  Locked stripe(*this, fill.slot / file_.geometry().slotsPerStripe);
  if (!stripe) return false;
  const uint32_t local = fill.slot % stripe->size();
  SlotHeader& slot = stripe->slot(local);
  if (slot.owner.load(std::memory_order_relaxed) != fill.owner) return true;
  // Under the lock, so that these are the waiters for this block and not of the slot's next one.
  const uint64_t waiters = stripe->follow(local).waiters.exchange(0, std::memory_order_seq_cst);
  const bool doomed = slot.state.load(std::memory_order_relaxed) != kUsed;
  stripe->EndFill(local);
  if (!doomed && (end.discard || fill.watermark == 0)) stripe->Discard(local);
  stripe.Release();
  processes_->Ring(waiters, fill.mailClass);
  return true;
}

void Cache::EndPending() {
  if (pending_.empty()) return;
  std::vector<PendingEnd> left;
  for (const PendingEnd& end : pending_) {
    if (!End(end)) left.push_back(end);
  }
  pending_ = std::move(left);
}

bool Cache::Watch(const Key& key, uint32_t seen) {
  const uint64_t hash = HashKey(key, seed_);
  Locked stripe(*this, StripeOf(hash, file_.geometry().stripeCount));
  if (!stripe) return false;
  const uint32_t local = stripe->Find(key, hash);
  FillWord fill;
  if (local == kNil || !stripe->IsSound(local, &fill)) return false;
  SlotHeader& slot = stripe->slot(local);
  if (slot.owner.load(std::memory_order_relaxed) == 0 || fill.watermark > seen || IsStalled(stripe->follow(local)))
    return false;
  stripe->follow(local).waiters.fetch_or(processes_->selfBit(), std::memory_order_seq_cst);
  // The watermark is read once more after the waiter's bit is set: Append says why.
  return FillWord::Decode(slot.fill.load(std::memory_order_seq_cst), stripe->global(local), &fill) &&
         fill.watermark <= seen;
}

uint32_t Cache::Reap() {
  EndPending();
  processes_->Reassert();
  const std::vector<ProcessTable::Dead> dead = processes_->FindDead();
  if (dead.empty() && !unreaped_) return 0;
  unreaped_ = !EndDeadFills();
  if (unreaped_) return 0;
  // The entries of the dead are freed last: if this process dies before, another one finds them again.
  uint32_t freed = 0;
  for (const ProcessTable::Dead& process : dead) freed += processes_->Free(process);
  return freed;
}

bool Cache::EndDeadFills() {
  bool all = true;
  for (uint32_t index = 0; index < file_.geometry().stripeCount; index++) {
    // Taking a lock that a dead process left held repairs what it was changing.
    if (!Locked(*this, index)) all = false;
    Stripe unlocked = StripeAt(index);
    if (unlocked.header().filling.load(std::memory_order_relaxed) == 0) continue;
    // The filler that was found alive last, so that it is asked for once and not with each of its fills.
    uint32_t living = 0;
    for (uint32_t local = 0; local < unlocked.size(); local++) {
      // Read without the lock: what is found is looked at again with the lock held, and a dead process takes no new
      // slots.
      const uint32_t owner = static_cast<uint32_t>(unlocked.slot(local).owner.load(std::memory_order_relaxed));
      if (owner == 0 || owner == living) continue;
      if (processes_->IsAlive(ProcessId::Unpack(owner))) {
        living = owner;
        continue;
      }
      Locked stripe(*this, index);
      if (!stripe) {
        all = false;
        break;
      }
      EndDeadFill(stripe, local);
    }
  }
  return all;
}

void Cache::EndDeadFill(Locked& stripe, uint32_t local) {
  SlotHeader& slot = stripe->slot(local);
  const uint64_t owner = slot.owner.load(std::memory_order_relaxed);
  if (owner == 0 || processes_->IsAlive(ProcessId::Unpack(static_cast<uint32_t>(owner)))) return;
  const uint64_t waiters = stripe->follow(local).waiters.exchange(0, std::memory_order_seq_cst);
  const uint32_t mailClass = MailClass(slot.key);
  const bool doomed = slot.state.load(std::memory_order_relaxed) != kUsed;
  FillWord fill;
  const bool keep = stripe->IsSound(local, &fill) && fill.watermark > 0;
  stripe->EndFill(local);
  if (!doomed && !keep) stripe->Discard(local);
  stripe.Release();
  processes_->Ring(waiters, mailClass);
}

}  // namespace shm
