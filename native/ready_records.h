// What an access log is to tell of ready answers: a record of each, which JavaScript takes many at a time.
//
// Everything happens on the thread of the front end's event loop.
#ifndef MOOVEDGE_READY_RECORDS_H_
#define MOOVEDGE_READY_RECORDS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gate_state.h"

/** Bytes for records that JavaScript has not taken yet. */
constexpr size_t kRecordRoom = 1024 * 1024;

/** How a record begins. The address of the client follows, as text, and the head of the request as it came. */
struct ReadyRecord {
  /** Bytes of the record, a multiple of eight. */
  double size = 0;
  /** Of the answer. */
  double place = 0;
  /** When the request came, in milliseconds since 1970. */
  double time = 0;
  double nanoseconds = 0;
  /** Bytes of the body. */
  double bytes = 0;
  /** Bytes of the address, and of the head. */
  double address = 0;
  double head = 0;
};

/** Numbers at the beginning of a record. */
constexpr size_t kRecordNumbers = sizeof(ReadyRecord) / sizeof(double);

/** Whether there is room for a record. Where there is none the front end answers, and tells of it by itself. */
bool HasRecordRoom(int fd, Connection* connection, std::string_view head);

/**
 * Adds a record that there is room for.
 * @param record its sizes are filled in here
 */
void AddRecord(ReadyRecord record, const Connection& connection, std::string_view head);

/** Room for all records; `words[kRecorded]` of the gate says how many bytes they have. */
uint8_t* Records();

#endif  // MOOVEDGE_READY_RECORDS_H_
