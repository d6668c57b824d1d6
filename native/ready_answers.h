// Answers that the gate gives by itself: short ranges of objects in memory, by URLs that are asked for again and again.
//
// JavaScript answers a URL first, and knows whether all that comes by the same Host and target has the same answer: who
// is let in, what it is an answer of, which fields it bears, until when. Then it offers that, and the gate answers such
// requests where their heads come, out of the memory tier, without the front end. Whatever is not as it was, the front
// end hears of the request as of any other.
//
// Everything happens on the thread of the front end's event loop.
#ifndef MOOVEDGE_READY_ANSWERS_H_
#define MOOVEDGE_READY_ANSWERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "gate_state.h"
#include "request_head.h"
#include "shm_cache.h"

/** Places for answers. */
constexpr size_t kReadyPlaces = 4096;
/** Numbers that are counted of each place: answers, bytes of their bodies, and nanoseconds that they took. */
constexpr size_t kReadyCounts = 3;

/** A shared counter, and what it must be for an answer to be still good. */
struct Unchanged {
  const std::atomic<uint32_t>* counter = nullptr;
  uint32_t value = 0;
};

/** What is the same in all answers to ranges of one URL. */
struct ReadyAnswer {
  shm::Cache* cache = nullptr;
  /** The object; its `block` is not looked at. */
  shm::Key key{};
  /** Bytes of the object. */
  uint64_t size = 0;
  /** Milliseconds since 1970: when the origin vouched for the object, and when the answer is good no more. */
  uint64_t vouched = 0;
  uint64_t until = 0;
  Unchanged entry;
  Unchanged purges;
  /** A record is made of each answer (ready_records.h). */
  bool is_recorded = false;
  /** The head up to the value of Age, which is its last field there, and what stands behind Content-Range. */
  std::string start;
  std::string end;
};

/**
 * Answers a request, if there is an answer for it.
 * @param text the head as it came
 * @returns false when the front end is to hear of it; `wants` then says whether an offer would be of use
 */
bool AnswerReady(int fd, Connection* connection, const RequestHead& head, std::string_view text, bool* wants);

/** Sends on what a socket did not take of such an answer. */
void SendOwed(int fd, Connection* connection);

/**
 * Keeps an answer for the Host and the target of the head that was handed on last, of which the gate has said that an
 * offer would be of use. Returns its place; negative when it is not kept.
 */
int32_t KeepReady(ReadyAnswer answer);

/** Forgets all answers, or those out of one cache. */
void ForgetReady(const shm::Cache* cache);

/** Numbers of all places, for JavaScript, which sets them back to 0. */
double* ReadyCounts();

#endif  // MOOVEDGE_READY_ANSWERS_H_
