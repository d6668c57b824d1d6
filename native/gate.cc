// The gate between the system's sockets and the front end, which gives its users neither the bytes of a request nor a
// say in accepting.
//
// The front end's module calls the functions below in place of `accept4`, `recv`, `send`, `close`, two of libuv's and
// its own reader of decrypted bytes. What comes on a connection passes here first: one head at a time, strict and in
// normal form, and the next one only when the answer to the one before has ended. So neither a body, nor what hides in
// one, nor a flood of pipelined requests ever reaches the front end's parser; a half-closed connection is not read any
// more and so not taken for a lost one; and whoever is refused costs one `send`. A usual head is handed on where it
// lies, after one look.
//
// Everything happens on the thread of the front end's event loop.

#include "gate.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "gate_accept.h"
#include "gate_messages.h"
#include "gate_read.h"
#include "gate_secure.h"
#include "gate_state.h"
#include "gate_turn.h"
#include "imports.h"
#include "listening.h"
#include "peer_address.h"
#include "ready_answers.h"
#include "ready_records.h"
#include "request_head.h"

Gate* gate = nullptr;

namespace {

rlim_t DescriptorLimit() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

template <typename T>
T* Zeroes(size_t count) {
  return static_cast<T*>(calloc(count, sizeof(T)));
}

bool MakeGate(Napi::Env env) {
  auto* made = new Gate;
  made->size = static_cast<size_t>(std::min<rlim_t>(DescriptorLimit(), kMaxDescriptors));
  made->states = Zeroes<uint8_t>(made->size);
  made->faults = Zeroes<uint8_t>(made->size);
  made->words = Zeroes<uint32_t>(kWords);
  made->connections = Zeroes<Connection*>(made->size);
  made->polls = Zeroes<uv_poll_t*>(made->size);
  const bool is_complete = made->states != nullptr && made->faults != nullptr && made->words != nullptr &&
                           made->connections != nullptr && made->polls != nullptr;
  if (!is_complete || napi_get_uv_event_loop(env, &made->loop) != napi_ok ||
      uv_timer_init(made->loop, &made->timer) != 0)
    return false;
  uv_unref(reinterpret_cast<uv_handle_t*>(&made->timer));
  gate = made;
  if (!InitTurns()) return false;
  const std::array imports{
      Import{"accept4", reinterpret_cast<void*>(OnAccept)},
      Import{"recv", reinterpret_cast<void*>(OnRecv)},
      Import{"send", reinterpret_cast<void*>(OnSend)},
      Import{"close", reinterpret_cast<void*>(OnClose)},
      Import{"uv_poll_init_socket", reinterpret_cast<void*>(OnPollInit)},
      Import{"uv_poll_start", reinterpret_cast<void*>(OnPollStart)},
  };
  const auto secure = SecureImports();
  const auto messages = MessageImports();
  std::vector<Import> all(imports.begin(), imports.end());
  all.insert(all.end(), secure.begin(), secure.end());
  all.insert(all.end(), messages.begin(), messages.end());
  return RedirectImports("uws_linux", all.data(), all.size());
}

/**
 * `openGate()`: puts the gate in front of the front end, before it listens. Undefined when its module is not one that
 * this works with.
 */
Napi::Value OpenGate(const Napi::CallbackInfo& info) {
  static const bool is_open = MakeGate(info.Env());
  uv_loop_t* loop = nullptr;
  // Only the thread that opened it first has the front end's sockets.
  if (!is_open || napi_get_uv_event_loop(info.Env(), &loop) != napi_ok || loop != gate->loop)
    return info.Env().Undefined();
  auto result = Napi::Object::New(info.Env());
  result.Set("states", Napi::ArrayBuffer::New(info.Env(), gate->states, gate->size));
  result.Set("faults", Napi::ArrayBuffer::New(info.Env(), gate->faults, gate->size));
  result.Set("words", Napi::ArrayBuffer::New(info.Env(), gate->words, kWords * sizeof *gate->words));
  auto fields = Napi::Array::New(info.Env(), kNotedFields.size());
  for (uint32_t i = 0; i < kNotedFields.size(); ++i)
    fields.Set(i, Napi::String::New(info.Env(), kNotedFields[i].data(), kNotedFields[i].size()));
  result.Set("fields", fields);
  if (Records() != nullptr) result.Set("records", Napi::ArrayBuffer::New(info.Env(), Records(), kRecordRoom));
  result.Set("ready", Napi::ArrayBuffer::New(info.Env(), ReadyCounts(), kReadyPlaces * kReadyCounts * sizeof(double)));
  return result;
}

uint32_t NumberOf(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().Uint32Value() : 0;
}

/** `guardPort(port, options)`: guards this process's listeners on `port`. Returns how many there are. */
Napi::Value GuardPort(const Napi::CallbackInfo& info) {
  const uint16_t number = PortOf(info);
  if (number == 0) return info.Env().Undefined();
  if (gate == nullptr || info.Length() < 2 || !info[1].IsObject()) {
    Napi::TypeError::New(info.Env(), "expected options, after openGate").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  const auto options = info[1].As<Napi::Object>();
  const auto not_sent = static_cast<int>(std::min<uint32_t>(NumberOf(options, "unsentBytes"), INT32_MAX));
  int listeners = 0;
  ForEachListener(number, [&](int fd) {
    ++listeners;
    // Accepted sockets inherit it.
    if (not_sent > 0) setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent, sizeof not_sent);
    if (static_cast<size_t>(fd) >= gate->size || FindPort(fd) != nullptr) return;
    auto port = std::make_unique<Port>();
    port->listener = fd;
    port->number = number;
    port->is_plain = options.Get("plain").ToBoolean();
    port->capacity = std::max<uint32_t>(NumberOf(options, "connections"), 1);
    port->per_client = NumberOf(options, "perClient");
    port->requests = NumberOf(options, "requests");
    port->bounds_loopback = options.Get("loopback").ToBoolean();
    port->unsent = static_cast<uint32_t>(not_sent);
    if (const Napi::Value trusted = options.Get("trusted"); trusted.IsArray()) {
      const auto networks = trusted.As<Napi::Array>();
      for (uint32_t i = 0; i < networks.Length(); ++i) {
        if (const Napi::Value each = networks.Get(i); each.IsString()) port->trusted.Add(each.As<Napi::String>());
      }
    }
    gate->ports.push_back(std::move(port));
  });
  return Napi::Number::New(info.Env(), listeners);
}

/**
 * `readAgain(fd)`: the answer on a connection has ended for which something is held back, which is read when its turn
 * comes.
 */
Napi::Value ReadAgain(const Napi::CallbackInfo& info) {
  const int fd = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : -1;
  if (gate != nullptr) ReadInTurn(fd);
  return info.Env().Undefined();
}

/**
 * `takeRefusals()`: what was refused since the last call, as status, time in milliseconds since 1970, and the client's
 * address, one after the other. From the first call on refusals are noted.
 */
Napi::Value TakeRefusals(const Napi::CallbackInfo& info) {
  auto result = Napi::Array::New(info.Env());
  if (gate == nullptr) return result;
  gate->notes_refusals = true;
  uint32_t at = 0;
  for (const Refusal& refusal : gate->refusals) {
    result.Set(at++, Napi::Number::New(info.Env(), refusal.status));
    result.Set(at++, Napi::Number::New(info.Env(), refusal.time));
    result.Set(at++, Napi::String::New(info.Env(), AddressText(refusal.client)));
  }
  gate->refusals.clear();
  return result;
}

/** `forgetReady()`: from here on the front end hears of all requests, until there are ready answers again. */
Napi::Value ForgetReadyOf(const Napi::CallbackInfo& info) {
  ForgetReady(nullptr);
  return info.Env().Undefined();
}

/** `descriptorLimit()`: how many descriptors this process may have open. */
Napi::Value DescriptorLimitOf(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(DescriptorLimit()));
}

}  // namespace

void InitGate(Napi::Env env, Napi::Object exports) {
  Napi::Object constants = exports.Get("constants").As<Napi::Object>();
  const auto tell = [&constants](const char* name, size_t value) { constants.Set(name, static_cast<double>(value)); };
  tell("gateAnswering", kAnswering);
  tell("gateHeld", kHeld);
  tell("gateLast", kLast);
  tell("gateUpgraded", kUpgraded);
  tell("gateCurrent", kCurrent);
  tell("gateCurrentFlags", kCurrentFlags);
  tell("gateCurrentFields", kCurrentFields);
  tell("gateWantsReady", kWantsReady);
  tell("gateReadyCounts", kReadyCounts);
  tell("gateRecorded", kRecorded);
  tell("gateRecordNumbers", kRecordNumbers);
  tell("gateFirstRefusal", kBadRequest);
  tell("gatePauses", kPauses);
  exports.Set("openGate", Napi::Function::New(env, OpenGate, "openGate"));
  exports.Set("guardPort", Napi::Function::New(env, GuardPort, "guardPort"));
  exports.Set("readAgain", Napi::Function::New(env, ReadAgain, "readAgain"));
  exports.Set("takeRefusals", Napi::Function::New(env, TakeRefusals, "takeRefusals"));
  exports.Set("forgetReady", Napi::Function::New(env, ForgetReadyOf, "forgetReady"));
  exports.Set("descriptorLimit", Napi::Function::New(env, DescriptorLimitOf, "descriptorLimit"));
}
