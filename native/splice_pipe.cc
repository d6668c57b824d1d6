#include "splice_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <vector>

namespace {

/**
 * Wished size in bytes. It counts pieces of pages, of which a network card makes many; where the system refuses, since
 * the user has too many such pipes, the usual size serves.
 */
constexpr int kSize = 256 * 1024;
/** Most empty pipes that are kept. */
constexpr size_t kMaxKept = 32;

/** Of the event loop's thread, like all that uses them. */
std::vector<SplicePipe> kept;

}  // namespace

bool TakePipe(SplicePipe* pipe) {
  if (!kept.empty()) {
    *pipe = kept.back();
    kept.pop_back();
    return true;
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  fcntl(ends[1], F_SETPIPE_SZ, kSize);
  *pipe = {ends[0], ends[1], 0};
  return true;
}

void GivePipe(SplicePipe* pipe) {
  if (!pipe->IsOpen()) return;
  if (pipe->held == 0 && kept.size() < kMaxKept) {
    kept.push_back(*pipe);
  } else {
    close(pipe->read_end);
    close(pipe->write_end);
  }
  *pipe = {};
}
