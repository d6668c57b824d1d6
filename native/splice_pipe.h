// Pipes by which bytes go from one socket to another without being copied.
#ifndef MOOVEDGE_SPLICE_PIPE_H_
#define MOOVEDGE_SPLICE_PIPE_H_

#include <cstddef>

/** A pipe and what is in it. */
struct SplicePipe {
  int read_end = -1;
  int write_end = -1;
  /** Bytes that lie in it. */
  size_t held = 0;

  bool IsOpen() const { return read_end >= 0; }
};

/** An empty pipe, one that was used before if there is one; false when the system has none. */
bool TakePipe(SplicePipe* pipe);

/** Gives a pipe back: it is kept for others when it is empty. */
void GivePipe(SplicePipe* pipe);

#endif  // MOOVEDGE_SPLICE_PIPE_H_
