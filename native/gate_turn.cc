#include "gate_turn.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "gate_read.h"
#include "gate_secure.h"
#include "gate_state.h"
#include "ready_answers.h"

namespace {

/** Nanoseconds of one turn of the loop for what happens on connections; what is left over waits for the next turn. */
constexpr uint64_t kTurn = 4'000'000;
/**
 * Nanoseconds that a request waits longer which its client has sent before it had the answer to the one before: who
 * asks for one thing at a time comes before any number of connections with requests in store.
 */
constexpr uint64_t kInStore = 1'000'000'000;

/** An account that has something due. */
struct Waiting {
  /**
   * When it was put here, later by the time that it had spent of late, and by `kInStore`: so long those may go before
   * it who came after it, and no longer, in nanoseconds.
   */
  uint64_t turn;
  std::shared_ptr<Account> account;
};

bool ComesLater(const Waiting& one, const Waiting& other) { return one.turn > other.turn; }

/** Accounts that wait, as a heap: the first is next. */
std::vector<Waiting> waiting;
uv_check_t check;
/** Runs while some wait of whom the system will tell nothing, so that the loop does not sleep. */
uv_idle_t idle;

void Push(std::shared_ptr<Account> account, uint64_t now) {
  const int fd = account->NextDue();
  const Connection* connection = Find(fd);
  const bool is_in_store = connection != nullptr && connection->reads_on && (gate->states[fd] & kHeld) != 0;
  const uint64_t turn = now + account->Spent(now) + (is_in_store ? kInStore : 0);
  waiting.push_back({turn, std::move(account)});
  std::push_heap(waiting.begin(), waiting.end(), ComesLater);
}

void Wait(int fd, Connection* connection) {
  if (connection->waits) return;
  connection->waits = true;
  Account& account = *connection->account;
  const bool is_waiting = account.HasDue();
  account.AddDue(fd);
  if (!is_waiting) Push(connection->account, uv_hrtime());
}

void OnPoll(uv_poll_t* poll, int status, int events) {
  uv_os_fd_t fd;
  if (uv_fileno(reinterpret_cast<const uv_handle_t*>(poll), &fd) != 0) return;
  Connection* connection = Find(fd);
  if (connection == nullptr || connection->callback == nullptr) return;
  if (status < 0) {
    connection->callback(poll, status, events);
    return;
  }
  connection->due |= events;
  Wait(fd, connection);
}

/** Has the front end handle what is due on a connection. */
void Handle(int fd) {
  Connection* connection = Find(fd);
  // It was closed meanwhile, and its descriptor may have another one by now.
  if (connection == nullptr || connection->poll == nullptr || !connection->waits) return;
  connection->waits = false;
  int events = connection->due & PolledEvents(*connection);
  connection->due = 0;
  if (!connection->owed.empty() && (events & UV_WRITABLE) != 0) {
    // The front end has asked to be told of room only where it owes something itself.
    events &= ~UV_WRITABLE;
    SendOwed(fd, connection);
  }
  if (connection->reads_on) {
    connection->reads_on = false;
    if (ReadsOn(fd, connection)) {
      if (!HandsOnHeld(fd, connection)) {
        events |= UV_READABLE;
      } else if (connection = Find(fd); connection == nullptr || connection->poll == nullptr) {
        return;
      }
    }
  }
  if (events == 0) return;
  gate->words[kCurrent] = 0;
  gate->handled = fd;
  connection->callback(connection->poll, 0, events);
  gate->handled = 0;
  gate->words[kCurrent] = 0;
}

void SleepNot(uv_idle_t*) {}

void Turn(uv_check_t*) {
  ++gate->turns;
  if (waiting.empty()) return;
  const uint64_t began = uv_hrtime();
  uint64_t now = began;
  // What becomes due meanwhile, such as the next of several requests, has its turn here, too.
  while (!waiting.empty() && now - began < kTurn) {
    std::pop_heap(waiting.begin(), waiting.end(), ComesLater);
    const std::shared_ptr<Account> account = std::move(waiting.back().account);
    waiting.pop_back();
    const int fd = account->TakeDue();
    if (account->HasDue()) Push(account, now);
    Handle(fd);
    const uint64_t then = now;
    now = uv_hrtime();
    account->Charge(now - then);
  }
  if (waiting.empty()) {
    uv_idle_stop(&idle);
  } else {
    uv_idle_start(&idle, SleepNot);
  }
}

}  // namespace

bool InitTurns() {
  if (uv_check_init(gate->loop, &check) != 0 || uv_idle_init(gate->loop, &idle) != 0) return false;
  uv_unref(reinterpret_cast<uv_handle_t*>(&check));
  uv_unref(reinterpret_cast<uv_handle_t*>(&idle));
  return uv_check_start(&check, Turn) == 0;
}

int OnPollInit(uv_loop_t* loop, uv_poll_t* poll, uv_os_sock_t fd) {
  const int result = uv_poll_init_socket(loop, poll, fd);
  if (result == 0 && fd >= 0 && static_cast<size_t>(fd) < gate->size) {
    gate->polls[fd] = poll;
    if (Connection* connection = gate->connections[fd]) connection->poll = poll;
  }
  return result;
}

int OnPollStart(uv_poll_t* poll, int events, uv_poll_cb callback) {
  uv_os_fd_t fd;
  Connection* connection = uv_fileno(reinterpret_cast<const uv_handle_t*>(poll), &fd) == 0 ? Find(fd) : nullptr;
  if (connection == nullptr) return uv_poll_start(poll, events, callback);
  const bool was_owing = Owes(*connection);
  const bool is_new = connection->callback == nullptr;
  connection->events = events;
  connection->callback = callback;
  // Its first request has nearly always come with it, and so need not wait for the system to tell of it.
  if (is_new && (events & UV_READABLE) != 0) {
    connection->due |= UV_READABLE;
    Wait(fd, connection);
  }
  if (was_owing && !Owes(*connection)) ReadInTurn(fd);
  return uv_poll_start(poll, PolledEvents(*connection), OnPoll);
}

void ReadInTurn(int fd) {
  Connection* connection = Find(fd);
  if (connection == nullptr || connection->poll == nullptr) return;
  const uint8_t state = gate->states[fd];
  if ((state & kAnswering) != 0 || (state & (kHeld | kLast)) == 0) return;
  connection->reads_on = true;
  Wait(fd, connection);
  uv_idle_start(&idle, SleepNot);
}
