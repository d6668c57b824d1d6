// How much the kernel takes of an answer beyond what it has sent (TCP_NOTSENT_LOWAT).
#ifndef MOOVEDGE_UNSENT_H_
#define MOOVEDGE_UNSENT_H_

#include <cstdint>

/**
 * The limit of one connection. It is low, so that little lies in the kernel for a player that pauses, and raised for a
 * while for one that reads so fast, with a window so wide, that a turn of the loop for each 64 KiB would cost much. At
 * most 128 are raised at a time, those among them that have paused since, so that the memory is bounded.
 */
class UnsentLimit {
 public:
  /**
   * The socket has not taken all that it was given.
   * @param now milliseconds of the loop's clock
   * @param low the limit of connections that are not raised, in bytes
   */
  void Full(int fd, uint64_t now, uint32_t low);

  /** The connection is being closed. */
  void Forget();

 private:
  uint64_t full_at_ = 0;
  uint8_t quick_ = 0;
  bool is_raised_ = false;
};

#endif  // MOOVEDGE_UNSENT_H_
