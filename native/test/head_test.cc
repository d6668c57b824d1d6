// Tests of what stands between sockets and the front end: heads of requests, and clients.

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "../clients.h"
#include "../request_head.h"
#include "support.h"

namespace {

using test::Random;

/** What fuzzed heads are put together from: what matters to a parser, right and wrong. */
const char* const kPieces[] = {
    "GET",
    "HEAD",
    "OPTIONS",
    "CONNECT",
    "POST",
    " ",
    "  ",
    "/",
    "/film.mp4?start=5",
    "http://a/b",
    "http://a?x",
    "https://a:1",
    "http://",
    "*",
    "a:443",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    " HTTP/1.9\r\n",
    " HTTP/2.0\r\n",
    "HTTP/1.1",
    "Host: a\r\n",
    "host:b\r\n",
    "Connection: close\r\n",
    "Connection: TE, Close\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 12\r\n",
    "Content-Length: 99999999999999999999999\r\n",
    "Content-Length: -1\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "Range: bytes=0-3\r\n",
    "RANGE:\r\n",
    "if-Match: *\r\n",
    "If-Matched: *\r\n",
    "Accept-Encoding: br\r\n",
    "X: y\r\n",
    "X : y\r\n",
    " folded\r\n",
    ":\r\n",
    "X:\r\n",
    "\r\n",
    "\r",
    "\n",
    "\r\n\r\n",
    "\t",
    ",",
    ":",
    "\x7f",
    "\xff",
};
constexpr size_t kPieceCount = sizeof kPieces / sizeof *kPieces;

std::string RandomHead(Random* random) {
  std::string text;
  const bool is_plausible = random->Next() % 4 != 0;
  if (is_plausible) text = "GET /a HTTP/1.1\r\nHost: a\r\n";
  for (uint64_t left = random->Next() % 12; left > 0; --left) {
    switch (random->Next() % 16) {
      case 0:
        text.push_back(static_cast<char>(random->Next()));
        break;
      case 1:
        text.push_back('\0');
        break;
      case 2:
        if (random->Next() % 8 == 0) text.append(random->Next() % 20000, 'x');
        break;
      default:
        text.append(kPieces[random->Next() % kPieceCount]);
    }
  }
  if (is_plausible) text.append("\r\n");
  if (random->Next() % 4 == 0 && !text.empty()) text[random->Next() % text.size()] = static_cast<char>(random->Next());
  return text;
}

/** Reads a copy of exactly its size on the heap, where a sanitizer sees a byte too far. */
RequestHead Read(const std::string& text, size_t size) {
  const std::unique_ptr<char[]> copy(new char[size]);
  if (size > 0) memcpy(copy.get(), text.data(), size);
  return ReadHead(copy.get(), size);
}

/** Fields that a head bears, found the plain way. */
uint32_t NotedFieldsOf(const std::string& head) {
  std::string lower = head;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  uint32_t fields = 0;
  for (size_t i = 0; i < kNotedFields.size(); ++i) {
    if (lower.find("\r\n" + std::string(kNotedFields[i]) + ":") != std::string::npos) fields |= uint32_t{1} << i;
  }
  return fields;
}

/** Whatever comes: the result is the same however it comes, lies within what came, and has a normal form. */
void CheckHead(const std::string& text, Random* random) {
  const RequestHead head = Read(text, text.size());
  CHECK(head.skipped + head.length <= text.size());
  CHECK((head.status != 0) == (head.state == RequestHead::kRefused));
  CHECK((head.length != 0) == (head.state == RequestHead::kWhole));
  // What is whole or refused early stays so, whatever follows; what is incomplete has not been so before.
  const size_t cut = random->Next() % (text.size() + 1);
  const RequestHead early = Read(text, cut);
  if (early.state != RequestHead::kIncomplete) {
    CHECK_EQUAL(early.state, head.state);
    // What is wrong and too long is refused for whichever is seen first.
    if (text.size() <= kMaxHead) CHECK_EQUAL(early.status, head.status);
    CHECK_EQUAL(early.length, head.length);
  }
  if (head.state == RequestHead::kWhole && cut >= head.skipped + head.length)
    CHECK_EQUAL(early.state, RequestHead::kWhole);
  if (head.state != RequestHead::kWhole) return;
  CHECK(head.length <= kMaxHead + 2);
  CHECK(!head.has_body || head.is_last);
  const std::unique_ptr<char[]> copy(new char[head.length]);
  memcpy(copy.get(), text.data() + head.skipped, head.length);
  const std::string normal = NormalHead(copy.get(), head);
  CHECK_EQUAL(head.fields, NotedFieldsOf(text.substr(head.skipped, head.length)));
  CHECK_EQUAL(head.is_get, text.compare(head.skipped, 4, "GET ") == 0);
  CHECK(head.has_query || normal.find('?') > normal.find(" HTTP/1.1\r\n"));
  // The normal form is one: strict reading finds nothing to change in it, and no content.
  const RequestHead again = Read(normal, normal.size());
  if (normal.size() > kMaxHead) return;
  CHECK_EQUAL(again.state, RequestHead::kWhole);
  CHECK_EQUAL(again.length, normal.size());
  CHECK(again.is_normal);
  CHECK(!again.has_body);
  CHECK_EQUAL(again.is_last, head.is_last);
  if (head.is_normal) CHECK(!head.has_body && !head.is_old);
}

void TestHeads(uint64_t count, uint64_t seed) {
  Random random(seed);
  uint64_t whole = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string text = RandomHead(&random);
    whole += Read(text, text.size()).state == RequestHead::kWhole;
    CheckHead(text, &random);
  }
  // A fuzz that reaches nothing but the first line finds nothing.
  CHECK(whole > count / 20);
}

/** Each octet at each place of a target and of a value: control characters are refused, and a tab in the first line. */
void TestOctets() {
  const std::string filler(30, 'x');
  for (int octet = 0; octet < 256; ++octet) {
    for (size_t place = 0; place < filler.size(); ++place) {
      std::string text = filler;
      text[place] = static_cast<char>(octet);
      const bool is_control = octet < 0x20 || octet == 0x7f;
      const std::string value = "GET / HTTP/1.1\r\nHost: a\r\nX: " + text + "\r\n\r\n";
      const bool is_sound = !is_control || octet == '\t';
      CHECK_EQUAL(Read(value, value.size()).state, is_sound ? RequestHead::kWhole : RequestHead::kRefused);
      if (octet == ' ') continue;
      const std::string target = "GET /" + text + " HTTP/1.1\r\nHost: a\r\n\r\n";
      CHECK_EQUAL(Read(target, target.size()).state, is_control ? RequestHead::kRefused : RequestHead::kWhole);
    }
  }
}

ClientKey Client(const char* text, bool bounds_loopback = false) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    return ClientOf(reinterpret_cast<const sockaddr*>(&v4), sizeof v4, bounds_loopback);
  }
  CHECK(inet_pton(AF_INET6, text, &v6.sin6_addr) == 1);
  v6.sin6_family = AF_INET6;
  return ClientOf(reinterpret_cast<const sockaddr*>(&v6), sizeof v6, bounds_loopback);
}

void TestClients() {
  // An IPv6 network of 64 bits is one client, its neighbour another.
  CHECK(Client("2001:db8:1:2::1") == Client("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  CHECK(Client("2001:db8:1:2::1") != Client("2001:db8:1:3::1"));
  CHECK(Client("2001:db8:1:2::1") != Client("2001:db9:1:2::1"));
  // An IPv4 address is one, however the socket tells it, and none of IPv6's.
  CHECK(Client("192.0.2.1") == Client("::ffff:192.0.2.1"));
  CHECK(Client("192.0.2.1") != Client("192.0.2.2"));
  CHECK(Client("184.13.1.32") != Client("2001:db8:ffff::1"));
  CHECK(Client("32.1.13.184") != Client("2001:db8:ffff::1"));
  // The machine itself has no bounds, unless that is asked for.
  for (const char* text : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"}) {
    CHECK(Client(text) == 0);
    CHECK(Client(text, true) != 0);
  }
  CHECK(Client("127.0.0.2", true) != Client("127.0.0.3", true));
  CHECK(Client("::1", true) != Client("127.0.0.1", true));
  sockaddr_storage none{};
  CHECK(ClientOf(reinterpret_cast<const sockaddr*>(&none), 0, true) == 0);
  none.ss_family = AF_INET6;
  CHECK(ClientOf(reinterpret_cast<const sockaddr*>(&none), sizeof(sockaddr_in), true) == 0);

  Clients clients;
  Random random(1);
  std::vector<std::vector<int>> model(4);
  for (int fd = 0; fd < 2000; ++fd) {
    const ClientKey client = random.Next() % 4;
    auto& held = model[client];
    if (random.Next() % 2 == 0 && !held.empty()) {
      clients.Remove(client, held.front());
      held.erase(held.begin());
    } else {
      clients.Add(client, fd);
      // Nobody counts the connections of those who have no bounds.
      if (client != 0) held.push_back(fd);
    }
    size_t count = 0;
    for (ClientKey other = 1; other < 4; ++other) {
      CHECK_EQUAL(clients.Connections(other).size(), model[other].size());
      count += model[other].empty() ? 0 : 1;
    }
    CHECK_EQUAL(clients.Count(), count);
  }
}

}  // namespace

/** `head_test [HEADS [SEED]]` */
int main(int argc, char** argv) {
  TestClients();
  TestOctets();
  TestHeads(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 50'000,
            argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  std::puts("ok");
  return 0;
}
