#include "ready_answers.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <utility>

#include "gate_read.h"
#include "gate_turn.h"
#include "ready_records.h"

namespace {

using std::string_view;

/** Most bytes of a body; for longer ones it is the copying that counts. */
constexpr uint64_t kMostBytes = 32 * 1024;
/** Most bytes of Host and target together, and of the parts of a head. */
constexpr size_t kLongestName = 2048;
constexpr size_t kLongestHead = 4096;
/** Bytes for what is put between them: numbers of at most 20 digits. */
constexpr size_t kNumbers = 256;
/** A row of places is where an answer may stand, by the hash of its name. */
constexpr size_t kWays = 4;
constexpr size_t kRows = kReadyPlaces / kWays;
/**
 * Milliseconds after which the front end hears of a request on a connection again, so that its timer does not take the
 * connection for an idle one.
 */
constexpr uint64_t kFrontEndPause = 2000;

constexpr uint32_t BitOf(string_view name) {
  for (size_t i = 0; i < kNotedFields.size(); ++i) {
    if (kNotedFields[i] == name) return uint32_t{1} << i;
  }
  return 0;
}

constexpr uint32_t kRange = BitOf("range");
/** Fields by which an answer may differ, whoever asks for what. */
constexpr uint32_t kTelling = kRange | BitOf("if-range") | BitOf("if-match") | BitOf("if-none-match") |
                              BitOf("if-modified-since") | BitOf("if-unmodified-since") | BitOf("cache-control") |
                              BitOf("authorization") | BitOf("cdn-loop") | BitOf("upgrade");

struct Place {
  uint64_t hash = 0;
  /** The port that is asked: another one may answer otherwise. */
  uint16_t port = 0;
  /** The turn of the loop in which it was used last. */
  uint64_t used = 0;
  std::string host;
  std::string target;
  ReadyAnswer answer;
};

std::array<Place, kReadyPlaces> places;
std::array<double, kReadyPlaces * kReadyCounts> counts{};
/** Of each row, names that were asked for of late without an answer: those that come twice are worth one. */
std::array<std::array<uint64_t, kWays>, kRows> asked{};
/** Name of the head that was handed on last with the word that an offer would be of use. */
struct {
  int fd = 0;
  uint64_t hash = 0;
  uint16_t port = 0;
  std::string host;
  std::string target;
} awaited;
char head_bytes[kLongestHead + kNumbers];

uint64_t HashOf(uint16_t port, string_view host, string_view target) {
  const std::hash<string_view> hash;
  // 0 is that of no name.
  return (hash(target) ^ ((hash(host) + port) * 0x9e3779b97f4a7c15)) | 1;
}

size_t RowOf(uint64_t hash) { return (hash >> 32) % kRows; }

Place* FindPlace(uint64_t hash, uint16_t port, string_view host, string_view target) {
  Place* row = &places[RowOf(hash) * kWays];
  for (size_t way = 0; way < kWays; ++way) {
    const Place& place = row[way];
    if (place.hash == hash && place.port == port && place.target == target && place.host == host) return &row[way];
  }
  return nullptr;
}

/** Notes that a name has no answer; true when it was noted before. */
bool IsAskedAgain(uint64_t hash) {
  auto& row = asked[RowOf(hash)];
  for (const uint64_t known : row) {
    if (known == hash) return true;
  }
  std::copy_backward(row.begin(), row.end() - 1, row.end());
  row[0] = hash;
  return false;
}

/** Reads digits; false when there are none, or more than any size has. */
bool ReadNumber(string_view* text, uint64_t* number) {
  constexpr size_t kMostDigits = 15;
  size_t digits = 0;
  uint64_t value = 0;
  while (digits < text->size() && (*text)[digits] >= '0' && (*text)[digits] <= '9') {
    value = value * 10 + static_cast<uint64_t>((*text)[digits] - '0');
    if (++digits > kMostDigits) return false;
  }
  text->remove_prefix(digits);
  *number = value;
  return digits > 0;
}

/** One range with both of its ends, which is what players send; whatever else there is, the front end knows. */
bool ReadRange(string_view text, uint64_t* first, uint64_t* last) {
  constexpr string_view kUnit = "bytes=";
  if (text.substr(0, kUnit.size()) != kUnit) return false;
  text.remove_prefix(kUnit.size());
  if (!ReadNumber(&text, first) || text.empty() || text[0] != '-') return false;
  text.remove_prefix(1);
  return ReadNumber(&text, last) && text.empty() && *last >= *first;
}

uint64_t Now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000 + static_cast<uint64_t>(time.tv_nsec) / 1'000'000;
}

bool Holds(const Unchanged& word) {
  // Acquire, as JavaScript reads it: what was changed before the counter moved is seen by whoever sees it moved.
  return word.counter->load(std::memory_order_acquire) == word.value;
}

/** Puts a head together. */
class Head {
 public:
  void Text(string_view text) {
    memcpy(head_bytes + length_, text.data(), text.size());
    length_ += text.size();
  }
  void Number(uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    Text({digits + at, sizeof digits - at});
  }
  size_t length() const { return length_; }

 private:
  size_t length_ = 0;
};

/** The time as fields have it (RFC 9110 section 5.6.7), made once a second. */
string_view DateOf(uint64_t now) {
  static uint64_t second = 0;
  static char text[32];
  static size_t length = 0;
  if (now / 1000 != second) {
    second = now / 1000;
    const auto time = static_cast<time_t>(second);
    tm parts{};
    gmtime_r(&time, &parts);
    constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const int count =
        snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[parts.tm_wday % 7], parts.tm_mday,
                 kMonths[parts.tm_mon % 12], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    length = static_cast<size_t>(std::clamp(count, 0, static_cast<int>(sizeof text) - 1));
  }
  return {text, length};
}

/** Sends the head and the bytes of the body; what the socket does not take is copied, and owed. */
void Send(int fd, Connection* connection, size_t head, uint8_t* body, size_t length) {
  iovec parts[] = {{head_bytes, head}, {body, length}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  ssize_t sent;
  do {
    sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent == static_cast<ssize_t>(head + length)) return;
  if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
    Lose(connection);
    return;
  }
  const size_t taken = sent < 0 ? 0 : static_cast<size_t>(sent);
  if (taken < head) connection->owed.assign(head_bytes + taken, head - taken);
  const size_t skipped = taken < head ? 0 : taken - head;
  connection->owed.append(reinterpret_cast<const char*>(body) + skipped, length - skipped);
  Repoll(connection);
}

}  // namespace

bool AnswerReady(int fd, Connection* connection, const RequestHead& head, string_view text, bool* wants) {
  *wants = false;
  uint64_t first, last;
  if (!head.is_get || !head.is_normal || head.is_last || !connection->port->is_plain ||
      (head.fields & kTelling) != kRange || head.host.size() + head.target.size() > kLongestName ||
      !ReadRange(head.range, &first, &last) || last - first >= kMostBytes)
    return false;
  const uint64_t began = uv_hrtime();
  const uint16_t port = connection->port->number;
  const uint64_t hash = HashOf(port, head.host, head.target);
  Place* place = FindPlace(hash, port, head.host, head.target);
  const uint64_t now = Now();
  if (place == nullptr || now >= place->answer.until || !Holds(place->answer.entry) || !Holds(place->answer.purges)) {
    *wants = IsAskedAgain(hash);
    if (!*wants) return false;
    awaited.fd = fd;
    awaited.hash = hash;
    awaited.port = port;
    awaited.host.assign(head.host);
    awaited.target.assign(head.target);
    return false;
  }
  place->used = gate->turns;
  const ReadyAnswer& answer = place->answer;
  if (first >= answer.size || now < answer.vouched || uv_now(gate->loop) - connection->heard_at > kFrontEndPause)
    return false;
  if (answer.is_recorded && !HasRecordRoom(fd, connection, text)) return false;
  const uint64_t end = std::min(last + 1, answer.size);
  const uint64_t length = end - first;
  shm::Key key = answer.key;
  key.block = static_cast<uint32_t>(first / shm::kBlockSize);
  const uint64_t from = first % shm::kBlockSize;
  if (from + length > shm::kBlockSize || answer.cache->processes().hasPin()) return false;
  const int64_t readable = answer.cache->Acquire(key, true);
  if (readable == shm::kAbsent) return false;
  if (static_cast<uint64_t>(readable) < from + length) {
    answer.cache->Release();
    return false;
  }
  Head reply;
  reply.Text(answer.start);
  reply.Number((now - answer.vouched) / 1000);
  reply.Text("\r\nContent-Range: bytes ");
  reply.Number(first);
  reply.Text("-");
  reply.Number(end - 1);
  reply.Text("/");
  reply.Number(answer.size);
  reply.Text(answer.end);
  reply.Text("\r\nDate: ");
  reply.Text(DateOf(now));
  reply.Text("\r\nContent-Length: ");
  reply.Number(length);
  reply.Text("\r\n\r\n");
  Send(fd, connection, reply.length(), answer.cache->data(answer.cache->pinnedSlot()) + from, length);
  answer.cache->Release();
  // As a reader that is closed tells: who has read all that it asked for may ask for what follows.
  if (end == answer.size) {
    answer.cache->Leave(key);
  } else if (end % shm::kBlockSize == 0) {
    answer.cache->Finish(key);
  }
  const auto index = static_cast<size_t>(place - places.data());
  const auto nanoseconds = static_cast<double>(uv_hrtime() - began);
  double* const counted = &counts[index * kReadyCounts];
  counted[0] += 1;
  counted[1] += static_cast<double>(length);
  counted[2] += nanoseconds;
  if (answer.is_recorded) {
    ReadyRecord record;
    record.place = static_cast<double>(index);
    record.time = static_cast<double>(now);
    record.nanoseconds = nanoseconds;
    record.bytes = static_cast<double>(length);
    AddRecord(record, *connection, text);
  }
  return true;
}

void SendOwed(int fd, Connection* connection) {
  std::string& owed = connection->owed;
  const ssize_t sent = send(fd, owed.data(), owed.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return;
    std::string().swap(owed);
    Lose(connection);
    return;
  }
  owed.erase(0, static_cast<size_t>(sent));
  if (!owed.empty()) return;
  std::string().swap(owed);
  Repoll(connection);
  ReadInTurn(fd);
}

int32_t KeepReady(ReadyAnswer answer) {
  const bool is_awaited = gate != nullptr && awaited.fd != 0 &&
                          gate->words[kCurrent] == static_cast<uint32_t>(awaited.fd) &&
                          (gate->words[kCurrentFlags] & kWantsReady) != 0;
  if (!is_awaited || answer.start.size() + answer.end.size() > kLongestHead) return -1;
  Place* chosen = FindPlace(awaited.hash, awaited.port, awaited.host, awaited.target);
  if (chosen == nullptr) {
    Place* row = &places[RowOf(awaited.hash) * kWays];
    chosen = std::min_element(row, row + kWays, [](const Place& one, const Place& other) {
      return (one.hash == 0 ? 0 : one.used + 1) < (other.hash == 0 ? 0 : other.used + 1);
    });
  }
  chosen->hash = awaited.hash;
  chosen->port = awaited.port;
  chosen->used = gate->turns;
  chosen->host = awaited.host;
  chosen->target = awaited.target;
  chosen->answer = std::move(answer);
  awaited.fd = 0;
  return static_cast<int32_t>(chosen - places.data());
}

void ForgetReady(const shm::Cache* cache) {
  for (Place& place : places) {
    if (place.hash != 0 && (cache == nullptr || place.answer.cache == cache)) place = Place();
  }
}

double* ReadyCounts() { return counts.data(); }
