// A connection to another edge, for JavaScript, which makes it and speaks on it; src/base/native.ts describes the
// class.
//
// What comes is read into a buffer and told. But most of an answer's body is only to be handed on to a player: it goes
// from the one socket into the other by splice(2), as the pages in which the kernel has received it. Nothing is copied,
// and nothing is told until it is over. The player's socket is the front end's, which has written the head and the
// first bytes, and ends the answer; while bytes are carried past it, it has nothing to write.
//
// Everything happens on the thread of the event loop.
#include "wire.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>

#include "arguments.h"
#include "gate_read.h"
#include "gate_state.h"
#include "splice_pipe.h"

namespace {

/** What is told; the order is that in src/cluster/peer/line/wire.ts. */
enum Event : uint32_t {
  /** So many bytes lie in the buffer. */
  kRead,
  /** The other side has closed the connection, or by that error. */
  kClosed,
  /** Carrying is over: all that was to be carried has been, or the connection has ended. */
  kCarried,
  /** The player's socket takes nothing any more. */
  kLost,
};

/** What `carry` returns. */
enum Carrying : uint32_t { kRefused, kUnderWay, kOver, kGone };

/** Bytes that one read takes at most where the head of an answer is awaited: of long bodies little is copied. */
constexpr uint32_t kHeadRoom = 16 * 1024;
/** Bytes moved at a time, and times in a row before others have their turn. */
constexpr size_t kMoved = 512 * 1024;
constexpr int kRounds = 4;

class Wire;

/** A poll of a descriptor of its own, for one direction. */
struct Poll {
  uv_poll_t handle{};
  int fd = -1;
  Wire* wire = nullptr;
};

/** A second descriptor of a socket, polled for `wire`; null when the system has none. */
Poll* MakePoll(uv_loop_t* loop, int fd, Wire* wire) {
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (own < 0) return nullptr;
  auto* poll = new Poll;
  poll->fd = own;
  poll->wire = wire;
  poll->handle.data = poll;
  if (uv_poll_init(loop, &poll->handle, own) != 0) {
    close(own);
    delete poll;
    return nullptr;
  }
  return poll;
}

void ClosePoll(Poll** poll) {
  if (*poll == nullptr) return;
  (*poll)->wire = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&(*poll)->handle), [](uv_handle_t* handle) {
    auto* closed = static_cast<Poll*>(handle->data);
    close(closed->fd);
    delete closed;
  });
  *poll = nullptr;
}

bool WouldWait(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

class Wire : public Napi::ObjectWrap<Wire> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "NativeWire",
                       {InstanceMethod<&Wire::Send>("send"), InstanceMethod<&Wire::Read>("read"),
                        InstanceMethod<&Wire::Carry>("carry"), InstanceMethod<&Wire::Carried>("carried"),
                        InstanceMethod<&Wire::IsHeld>("isHeld"), InstanceMethod<&Wire::Close>("close")});
  }

  /** new NativeWire(fd, buffer, told) */
  explicit Wire(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Wire>(info), context_(info.Env(), "wire") {
    Napi::Env env = info.Env();
    uint32_t fd;
    if (!ToUint32(env, info[0], &fd) || !ToBytes(env, info[1], &bytes_, &room_max_)) return;
    if (!info[2].IsFunction() || napi_get_uv_event_loop(env, &loop_) != napi_ok) {
      Napi::TypeError::New(env, "expected a socket, a buffer and a function").ThrowAsJavaScriptException();
      return;
    }
    poll_ = MakePoll(loop_, static_cast<int>(fd), this);
    if (poll_ == nullptr) {
      Napi::Error::New(env, "the system has no descriptor left").ThrowAsJavaScriptException();
      return;
    }
    fcntl(poll_->fd, F_SETFL, fcntl(poll_->fd, F_GETFL) | O_NONBLOCK);
    buffer_ = Napi::Persistent(info[1].As<Napi::Object>());
    told_ = Napi::Persistent(info[2].As<Napi::Function>());
    Ref();
    Listen(kHeadRoom);
  }

  ~Wire() override { Release(); }

 private:
  /** send(text): how much of it was taken, an octet for each character; then the head of its answer is awaited. */
  Napi::Value Send(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    if (poll_ == nullptr || info.Length() < 1 || !info[0].IsString()) return Napi::Number::New(env, -1);
    size_t length = 0;
    char small[4096];
    std::string large;
    char* text = small;
    napi_get_value_string_latin1(env, info[0], nullptr, 0, &length);
    if (length >= sizeof small) {
      large.resize(length + 1);
      text = large.data();
    }
    napi_get_value_string_latin1(env, info[0], text, length + 1, &length);
    ssize_t sent;
    do {
      sent = send(poll_->fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) Listen(kHeadRoom);
    return Napi::Number::New(env, static_cast<double>(sent));
  }

  /** read(room): reads on, so many bytes at a time at most. */
  void Read(const Napi::CallbackInfo& info) {
    uint32_t room;
    if (!ToUint32(info.Env(), info[0], &room) || poll_ == nullptr || room == 0) return;
    is_asked_ = true;
    Listen(room);
  }

  /** carry(socket, bytes): hands the next bytes on to a player's socket. Returns a `Carrying`. */
  Napi::Value Carry(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    uint32_t socket;
    double bytes;
    if (!ToUint32(env, info[0], &socket) || !ToDouble(env, info[1], &bytes)) return env.Undefined();
    return Napi::Number::New(env, static_cast<double>(Begin(static_cast<int>(socket), bytes)));
  }

  /** carried(): bytes that the player's socket has taken since `carry`. */
  Napi::Value Carried(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(moved_));
  }

  /** isHeld(): carrying waits for the player. */
  Napi::Value IsHeld(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), is_carrying_ && pipe_.held > 0);
  }

  void Close(const Napi::CallbackInfo&) {
    if (poll_ == nullptr) return;
    Release();
    Unref();
  }

  void Release() {
    EndCarrying();
    ClosePoll(&poll_);
  }

  void Listen(uint32_t room) {
    room_ = std::min<size_t>(room, room_max_);
    if (is_listening_) return;
    is_listening_ = true;
    uv_poll_start(&poll_->handle, UV_READABLE, OnReadable);
  }

  void Stop() {
    if (!is_listening_) return;
    is_listening_ = false;
    uv_poll_stop(&poll_->handle);
  }

  static void OnReadable(uv_poll_t* handle, int, int) {
    Wire* wire = static_cast<Poll*>(handle->data)->wire;
    if (wire == nullptr) return;
    if (wire->is_carrying_) {
      wire->GoOn();
    } else {
      wire->Receive();
    }
  }

  static void OnWritable(uv_poll_t* handle, int, int) {
    Wire* wire = static_cast<Poll*>(handle->data)->wire;
    if (wire != nullptr && wire->is_carrying_) wire->GoOn();
  }

  void Receive() {
    const ssize_t count = recv(poll_->fd, bytes_, room_, MSG_DONTWAIT);
    if (count < 0 && WouldWait(errno)) return;
    if (count <= 0) {
      const int error = count < 0 ? errno : 0;
      Stop();
      Tell(kClosed, static_cast<uint32_t>(error));
      return;
    }
    // What fills it and is not carried away is a long body.
    if (static_cast<size_t>(count) == room_) room_ = room_max_;
    is_asked_ = false;
    const bool reads_on = Tell(kRead, static_cast<uint32_t>(count));
    // Promises are settled before the call returns, so that it may have been told to read on after it was told not to.
    if (!reads_on && !is_asked_ && poll_ != nullptr && !is_carrying_) Stop();
  }

  uint32_t Begin(int socket, double bytes) {
    const Connection* player = gate == nullptr || gate->loop != loop_ ? nullptr : Find(socket);
    const bool is_free = player != nullptr && player->port->is_plain && !player->is_lost && !Owes(*player);
    if (poll_ == nullptr || is_carrying_ || !is_free || !(bytes > 0 && bytes < 9e15) || !TakePipe(&pipe_))
      return kRefused;
    is_carrying_ = true;
    player_ = socket;
    left_ = static_cast<uint64_t>(bytes);
    moved_ = 0;
    Listen(kHeadRoom);
    const uint32_t state = Move();
    if (state != kUnderWay) EndCarrying();
    return state;
  }

  void GoOn() {
    const uint32_t state = Move();
    if (state == kUnderWay) return;
    EndCarrying();
    Tell(state == kOver ? kCarried : kLost, 0);
  }

  /** Moves what can be moved. */
  uint32_t Move() {
    for (int round = 0; round < kRounds; ++round) {
      if (pipe_.held == 0) {
        if (left_ == 0) return kOver;
        const size_t wanted = static_cast<size_t>(std::min<uint64_t>(left_, kMoved));
        const ssize_t count =
            splice(poll_->fd, nullptr, pipe_.write_end, nullptr, wanted, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (count < 0 && WouldWait(errno)) break;
        // The connection has ended: whoever reads on is told.
        if (count <= 0) return kOver;
        pipe_.held = static_cast<size_t>(count);
        left_ -= static_cast<uint64_t>(count);
      }
      const ssize_t count =
          splice(pipe_.read_end, nullptr, player_, nullptr, pipe_.held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      if (count > 0) {
        pipe_.held -= static_cast<size_t>(count);
        moved_ += static_cast<uint64_t>(count);
        if (pipe_.held == 0) continue;
      } else if (count == 0 || !WouldWait(errno)) {
        return kGone;
      }
      return AwaitPlayer() ? kUnderWay : kGone;
    }
    if (left_ == 0) return kOver;
    AwaitPeer();
    return kUnderWay;
  }

  /** The player's socket is full. */
  bool AwaitPlayer() {
    Connection* player = Find(player_);
    if (player == nullptr) return false;
    if (player->port->unsent > 0) player->unsent.Full(player_, uv_now(loop_), player->port->unsent);
    if (player_poll_ == nullptr) player_poll_ = MakePoll(loop_, player_, this);
    if (player_poll_ == nullptr) return false;
    Stop();
    if (!awaits_player_) uv_poll_start(&player_poll_->handle, UV_WRITABLE, OnWritable);
    awaits_player_ = true;
    return true;
  }

  void AwaitPeer() {
    if (awaits_player_) uv_poll_stop(&player_poll_->handle);
    awaits_player_ = false;
    Listen(kHeadRoom);
  }

  void EndCarrying() {
    if (!is_carrying_) return;
    is_carrying_ = false;
    awaits_player_ = false;
    ClosePoll(&player_poll_);
    GivePipe(&pipe_);
    if (poll_ != nullptr) Listen(kHeadRoom);
  }

  /** Tells JavaScript; returns whether it wants more. The object may have been closed meanwhile. */
  bool Tell(Event event, uint32_t value) {
    Napi::Env env = Env();
    Napi::HandleScope scope(env);
    const Napi::Object self = Value();
    const Napi::Value answer =
        told_.MakeCallback(self, {Napi::Number::New(env, event), Napi::Number::New(env, value)}, context_);
    if (env.IsExceptionPending()) {
      napi_fatal_exception(env, env.GetAndClearPendingException().Value());
      return false;
    }
    return !answer.IsEmpty() && answer.IsBoolean() && answer.As<Napi::Boolean>();
  }

  Napi::AsyncContext context_;
  Napi::ObjectReference buffer_;
  Napi::FunctionReference told_;
  uint8_t* bytes_ = nullptr;
  size_t room_max_ = 0;
  size_t room_ = 0;
  uv_loop_t* loop_ = nullptr;
  /** Null when it is closed. */
  Poll* poll_ = nullptr;
  bool is_listening_ = false;
  /** It was told to read on. */
  bool is_asked_ = false;
  bool is_carrying_ = false;
  /** The player's socket; meaningful while something is carried. */
  int player_ = -1;
  /** Made when the player's socket is full for the first time. */
  Poll* player_poll_ = nullptr;
  bool awaits_player_ = false;
  SplicePipe pipe_;
  /** Bytes that are still to be taken from the connection. */
  uint64_t left_ = 0;
  uint64_t moved_ = 0;
};

}  // namespace

void InitWire(Napi::Env env, Napi::Object exports) { exports.Set("NativeWire", Wire::Define(env)); }
