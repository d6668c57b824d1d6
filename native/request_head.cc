#include "request_head.h"

#include <array>
#include <cstring>
#include <string_view>

namespace {

using std::string_view;

/** Most field lines, which is what the front end has room for. */
constexpr size_t kMaxFields = 96;
constexpr size_t kMaxMethod = 32;

constexpr std::array<bool, 256> TokenTable() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<size_t>(c)] = true;
  for (const char c : string_view("!#$%&'*+-.^_`|~")) table[static_cast<size_t>(c)] = true;
  return table;
}

/** Characters of a token (RFC 9110 section 5.6.2). */
constexpr std::array<bool, 256> kToken = TokenTable();

bool IsToken(char c) { return kToken[static_cast<unsigned char>(c)]; }

bool IsAlphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

/** True for control characters, which no value may hold (RFC 9110 section 5.5). */
bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

/**
 * Whether a text has control characters. Eight characters that have none are passed over at once: signed URLs, and what
 * browsers tell of themselves, are long.
 */
bool HasControl(string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  size_t at = 0;
  for (uint64_t word; text.size() - at >= sizeof word; at += sizeof word) {
    memcpy(&word, text.data() + at, sizeof word);
    // The highest bit of some octet is set when one is below 0x20, or, by the second, 0x7f.
    const uint64_t others = word ^ 0x7f * kOnes;
    if (((((word - 0x20 * kOnes) & ~word) | ((others - kOnes) & ~others)) & 0x80 * kOnes) != 0) break;
  }
  for (; at < text.size(); ++at) {
    if (IsControl(text[at])) return true;
  }
  return false;
}

/** Compares without regard to case; `lower` is in lower case. */
bool Is(string_view text, string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c) != lower[i]) return false;
  }
  return true;
}

constexpr size_t kLongestNoted = 32;

/** Which of `kNotedFields` have names of each length, a bit for each. */
constexpr std::array<uint32_t, kLongestNoted + 1> NotedByLength() {
  std::array<uint32_t, kLongestNoted + 1> table{};
  for (size_t i = 0; i < kNotedFields.size(); ++i) table[kNotedFields[i].size()] |= uint32_t{1} << i;
  return table;
}

constexpr std::array<uint32_t, kLongestNoted + 1> kNotedByLength = NotedByLength();

/** The bit of a field in `RequestHead::fields`; 0 for one that is not noted. */
uint32_t NotedField(string_view name) {
  if (name.size() > kLongestNoted) return 0;
  for (uint32_t left = kNotedByLength[name.size()]; left != 0; left &= left - 1) {
    if (Is(name, kNotedFields[static_cast<size_t>(__builtin_ctz(left))])) return left & (~left + 1);
  }
  return 0;
}

string_view Trimmed(string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

/** Takes the first element off a comma-separated list. */
string_view NextElement(string_view* list) {
  const size_t comma = list->find(',');
  const string_view element = Trimmed(list->substr(0, comma));
  *list = comma == string_view::npos ? string_view() : list->substr(comma + 1);
  return element;
}

bool ListHas(string_view list, string_view lower) {
  while (!list.empty()) {
    if (Is(NextElement(&list), lower)) return true;
  }
  return false;
}

/** The parts of a request line. */
struct RequestLine {
  string_view method;
  string_view target;
  string_view version;
};

/** The text up to the first blank, and `text` behind that. */
string_view UpToBlank(string_view* text) {
  const size_t blank = text->find(' ');
  const string_view part = text->substr(0, blank);
  *text = blank == string_view::npos ? string_view() : text->substr(blank + 1);
  return part;
}

RequestLine SplitLine(string_view line) {
  RequestLine parts;
  parts.method = UpToBlank(&line);
  parts.target = UpToBlank(&line);
  parts.version = line;
  return parts;
}

/** Whether `text` is what a Host field may hold (RFC 9110 section 7.2), as in src/http/target.ts; nothing is a host. */
bool IsHost(string_view text) {
  constexpr size_t kMaxName = 255;
  constexpr size_t kMaxPort = 5;
  size_t at = 0;
  if (!text.empty() && text[0] == '[') {
    at = text.find(']');
    if (at == string_view::npos || at < 3 || at > 46) return false;
    if (text.substr(1, at - 1).find_first_not_of("0123456789abcdefABCDEF:.") != string_view::npos) return false;
    ++at;
    if (at < text.size() && text[at] == '.') ++at;
  } else {
    while (at < text.size() && (IsAlphanumeric(text[at]) || text[at] == '-' || text[at] == '.' || text[at] == '_'))
      ++at;
    if (at > kMaxName) return false;
  }
  if (at == text.size()) return true;
  const string_view port = text.substr(at + 1);
  return text[at] == ':' && port.size() <= kMaxPort && port.find_first_not_of("0123456789") == string_view::npos;
}

/** The authority of a target in absolute-form (RFC 9112 section 3.2.2), and what follows it; false for another form. */
bool SplitAbsolute(string_view target, string_view* authority, string_view* rest) {
  const size_t colon = target.find("://");
  if (colon == string_view::npos) return false;
  const string_view scheme = target.substr(0, colon);
  if (!Is(scheme, "http") && !Is(scheme, "https")) return false;
  target.remove_prefix(colon + 3);
  const size_t end = target.find_first_of("/?#");
  *authority = target.substr(0, end);
  *rest = end == string_view::npos ? string_view() : target.substr(end);
  return !authority->empty() && IsHost(*authority);
}

/** Judges what has come of the request line. */
uint16_t CheckLine(string_view line, bool is_whole, RequestHead* head) {
  size_t at = 0;
  while (at < line.size() && IsToken(line[at])) ++at;
  if (at > kMaxMethod || (at < line.size() && (at == 0 || line[at] != ' '))) return 400;
  if (HasControl(line.substr(at)) || line.find('\t', at) != string_view::npos) return 400;
  if (!is_whole) return 0;
  const auto [method, target, version] = SplitLine(line);
  constexpr string_view kProtocol = "HTTP/";
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (version.size() != 8 || version.substr(0, 5) != kProtocol || !digit(version[5]) || version[6] != '.' ||
      !digit(version[7]))
    return 400;
  if (version[5] != '1') return 505;
  head->is_old = version[7] == '0';
  head->is_last = head->is_old;
  head->is_normal = version[7] == '1';
  if (target.empty()) return 400;
  head->is_get = method == "GET";
  head->target = target;
  head->has_query = target.find('?') != string_view::npos;
  if (target[0] == '/') return 0;
  head->is_normal = false;
  string_view authority;
  string_view rest;
  if (target == "*") return method == "OPTIONS" ? 0 : 400;
  return method == "CONNECT" || SplitAbsolute(target, &authority, &rest) ? 0 : 400;
}

/** Reads the fields of a head, line by line. */
class Fields {
 public:
  explicit Fields(RequestHead* head) : head_(head) {}

  /** Takes a line; returns the status of a refusal, or 0. */
  uint16_t Take(string_view line) {
    if (++count_ > kMaxFields) return 431;
    size_t colon = 0;
    while (colon < line.size() && IsToken(line[colon])) ++colon;
    // A name is never empty; a blank before the colon, or a folded line, is no token either.
    if (colon == 0 || colon == line.size() || line[colon] != ':') return 400;
    if (HasControl(line.substr(colon + 1))) return 400;
    const string_view name = line.substr(0, colon);
    head_->fields |= NotedField(name);
    switch (name.size()) {
      case 4:
        if (!Is(name, "host")) break;
        head_->host = Trimmed(line.substr(colon + 1));
        if (++hosts_ > 1 || !IsHost(head_->host)) return 400;
        break;
      case 5:
        if (Is(name, "range")) head_->range = ++ranges_ == 1 ? Trimmed(line.substr(colon + 1)) : string_view();
        break;
      case 10:
        if (Is(name, "connection")) TakeConnection(Trimmed(line.substr(colon + 1)));
        break;
      case 14:
        if (Is(name, "content-length")) return TakeLength(Trimmed(line.substr(colon + 1)));
        break;
      case 17:
        // Content without a length is never taken, whatever its coding: all that could be agreed on is to close.
        if (Is(name, "transfer-encoding")) return 400;
        break;
      default:
        break;
    }
    return 0;
  }

  /** Judges the head as a whole. */
  uint16_t End() const {
    if (hosts_ == 0 && !head_->is_old) return 400;
    if (head_->has_body) head_->is_last = true;
    if (head_->is_last && (connections_ != 1 || !is_just_close_)) head_->is_normal = false;
    if (head_->has_body) head_->is_normal = false;
    return 0;
  }

 private:
  RequestHead* head_;
  size_t count_ = 0;
  size_t hosts_ = 0;
  size_t ranges_ = 0;
  size_t lengths_ = 0;
  size_t connections_ = 0;
  bool is_just_close_ = false;

  void TakeConnection(string_view value) {
    ++connections_;
    is_just_close_ = value == "close";
    if (ListHas(value, "close")) head_->is_last = true;
  }

  uint16_t TakeLength(string_view value) {
    if (++lengths_ > 1 || value.empty() || value.find_first_not_of("0123456789") != string_view::npos) return 400;
    if (value.find_first_not_of('0') != string_view::npos) head_->has_body = true;
    return 0;
  }
};

void AppendLine(std::string* text, string_view name, string_view value) {
  text->append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

RequestHead ReadHead(const char* data, size_t size) {
  RequestHead head;
  size_t at = 0;
  while (size - at >= 2 && data[at] == '\r' && data[at + 1] == '\n') at += 2;
  head.skipped = at;
  if (size == at || (size - at == 1 && data[at] == '\r')) return head;
  const auto refuse = [&](int status) {
    head.state = RequestHead::kRefused;
    head.status = static_cast<uint16_t>(status);
    return head;
  };
  Fields fields(&head);
  bool is_first = true;
  while (at < size) {
    const char* line = data + at;
    const size_t left = size - at;
    const auto* feed = static_cast<const char*>(memchr(line, '\n', left));
    const size_t end = feed == nullptr ? left : static_cast<size_t>(feed - line);
    if (at + end - head.skipped > kMaxHead) return refuse(is_first ? 414 : 431);
    if (feed == nullptr) {
      // Its last byte may be the first half of a line break.
      const size_t come = line[left - 1] == '\r' ? left - 1 : left;
      const uint16_t status = is_first ? CheckLine(string_view(line, come), false, &head) : static_cast<uint16_t>(0);
      return status == 0 ? head : refuse(status);
    }
    if (end == 0 || line[end - 1] != '\r') return refuse(400);
    const string_view text(line, end - 1);
    at += end + 1;
    if (is_first) {
      if (const uint16_t status = CheckLine(text, true, &head)) return refuse(status);
      is_first = false;
    } else if (text.empty()) {
      if (const uint16_t status = fields.End()) return refuse(status);
      head.state = RequestHead::kWhole;
      head.length = at - head.skipped;
      return head;
    } else if (const uint16_t status = fields.Take(text)) {
      return refuse(status);
    }
  }
  return head;
}

std::string NormalHead(const char* data, const RequestHead& head) {
  string_view rest(data, head.length);
  const auto next_line = [&rest] {
    const size_t end = rest.find("\r\n");
    const string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    return line;
  };
  const auto [method, target, version] = SplitLine(next_line());
  string_view authority;
  string_view path = target;
  const bool is_absolute = target[0] != '/' && SplitAbsolute(target, &authority, &path);
  std::string normal;
  normal.reserve(head.length + 64);
  normal.append(method).append(" ");
  if (path.empty() || path[0] != '/') normal.append("/");
  // The target of CONNECT is no path, and the method not one that is answered.
  if (is_absolute || target[0] == '/' || target == "*") normal.append(path);
  normal.append(" HTTP/1.1\r\n");
  bool has_host = is_absolute;
  if (is_absolute) AppendLine(&normal, "Host", authority);
  for (string_view line = next_line(); !line.empty(); line = next_line()) {
    const string_view name = line.substr(0, line.find(':'));
    if (Is(name, "connection") || Is(name, "content-length") || Is(name, "transfer-encoding") || Is(name, "expect"))
      continue;
    if (Is(name, "host")) {
      if (is_absolute) continue;
      has_host = true;
    }
    normal.append(line).append("\r\n");
  }
  // The name of no host at all, which the front end does not take for a missing one.
  if (!has_host) AppendLine(&normal, "Host", ".");
  if (head.is_last) AppendLine(&normal, "Connection", "close");
  return normal.append("\r\n");
}
