// How much of the loop's time somebody has had of late, and what waits for the next of it.
#ifndef MOOVEDGE_ACCOUNT_H_
#define MOOVEDGE_ACCOUNT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

/** The account of a client, or of a connection of somebody who is no client. */
class Account {
 public:
  /**
   * The loop's time that it has had of late, in nanoseconds, which is halved every quarter of a second.
   * @param now nanoseconds of a clock that only rises
   */
  uint64_t Spent(uint64_t now) {
    const uint64_t period = now >> kPeriodBits;
    const uint64_t passed = period > period_ ? period - period_ : 0;
    period_ += passed;
    spent_ = passed < 64 ? spent_ >> passed : 0;
    return spent_;
  }

  void Charge(uint64_t nanoseconds) { spent_ += nanoseconds; }

  bool HasDue() const { return next_ < due_.size(); }

  void AddDue(int fd) { due_.push_back(fd); }

  /** The descriptor that has waited longest, of those that are left. */
  int NextDue() const { return due_[next_]; }

  int TakeDue() {
    const int fd = NextDue();
    ++next_;
    if (next_ == due_.size()) {
      due_.clear();
      next_ = 0;
    } else if (next_ >= kMostTaken && next_ * 2 >= due_.size()) {
      due_.erase(due_.begin(), due_.begin() + static_cast<ptrdiff_t>(next_));
      next_ = 0;
    }
    return fd;
  }

 private:
  static constexpr unsigned kPeriodBits = 28;
  /** Descriptors that have been taken are removed when there are so many of them, and they are half of all. */
  static constexpr size_t kMostTaken = 64;

  uint64_t spent_ = 0;
  uint64_t period_ = 0;
  std::vector<int> due_;
  size_t next_ = 0;
};

#endif  // MOOVEDGE_ACCOUNT_H_
