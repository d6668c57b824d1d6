// The head of an HTTP/1 request, read as strictly as RFC 9112 asks of intermediaries, and its normal form.
#ifndef MOOVEDGE_REQUEST_HEAD_H_
#define MOOVEDGE_REQUEST_HEAD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/** Longest head, in bytes; `MAX_HEADER_BYTES` in src/http/header-limit.ts. */
constexpr size_t kMaxHead = 16 * 1024;

/**
 * Fields, by their names in lower case, of which it is noted whether a head bears them: requests are looked at for
 * them, and most lack most of them. None that `NormalHead` touches.
 */
constexpr std::array<std::string_view, 21> kNotedFields{
    "range",         "if-range",        "if-match",     "if-none-match",   "if-modified-since",
    "cache-control", "authorization",   "cookie",       "referer",         "if-unmodified-since",
    "user-agent",    "origin",          "x-request-id", "traceparent",     "cdn-loop",
    "upgrade",       "x-forwarded-for", "forwarded",    "accept-encoding", "accept-language",
    "accept",
};

/** What `ReadHead` finds. */
struct RequestHead {
  enum State {
    /** More bytes are needed. */
    kIncomplete,
    kWhole,
    /** Can't be understood, or must not be: `status` says why. */
    kRefused,
  };
  State state = kIncomplete;
  /** Status of a refusal. */
  uint16_t status = 0;
  /** Bytes of empty lines before the request (RFC 9112 section 2.2). */
  size_t skipped = 0;
  /** Bytes of the head, from the request line to the empty line. */
  size_t length = 0;
  /** Content follows: Content-Length above 0. */
  bool has_body = false;
  /** The connection is to be closed after the answer: asked for, or needed because of the content or the version. */
  bool is_last = false;
  /** The client speaks HTTP/1.0, and knows no chunks. */
  bool is_old = false;
  /** The head is in normal form already. */
  bool is_normal = true;
  /** The method is GET. */
  bool is_get = false;
  /** The target has a query, though it may be empty. */
  bool has_query = false;
  /** Which of `kNotedFields` the head bears, a bit for each in their order. */
  uint32_t fields = 0;
  /** Its target, and the values of its Host field and of its one Range field, where they lie; empty without one. */
  std::string_view target;
  std::string_view host;
  std::string_view range;
};

/**
 * Reads the head at the beginning of `data`. Looks at complete lines as they come, so that what is wrong is refused at
 * once.
 */
RequestHead ReadHead(const char* data, size_t size);

/**
 * The head that begins at `data` in the form that the front end understands: HTTP/1.1, a path, one Host, no framing of
 * content, and a Connection field that is `close` when the connection is to be closed.
 * @param head what `ReadHead` found there: whole, with nothing skipped
 */
std::string NormalHead(const char* data, const RequestHead& head);

#endif  // MOOVEDGE_REQUEST_HEAD_H_
