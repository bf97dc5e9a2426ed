#pragma once

#include <time.h>

#include <cerrno>
#include <cstdint>

namespace hamsa {

constexpr int64_t kNsPerMs = 1'000'000;

inline int64_t ReadClockNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/** The clock of every deadline and of every time that JavaScript sees. */
inline int64_t MonotonicNs() { return ReadClockNs(CLOCK_MONOTONIC); }

/** The clock of the kernel's packet time stamps. */
inline int64_t RealtimeNs() { return ReadClockNs(CLOCK_REALTIME); }

/**
 * What to add to a real-time stamp to get the monotonic time of the same moment. It is measured anew for each batch of
 * stamps, because the real-time clock may be set at any time; the try that was interrupted least counts.
 */
inline int64_t RealtimeToMonotonicNs() {
  int64_t offsetNs = 0;
  int64_t smallestNs = INT64_MAX;
  for (int attempt = 0; attempt < 4 && smallestNs > 2'000; attempt++) {
    const int64_t beforeNs = MonotonicNs();
    const int64_t realtimeNs = RealtimeNs();
    const int64_t tookNs = MonotonicNs() - beforeNs;
    if (tookNs >= smallestNs) continue;
    smallestNs = tookNs;
    offsetNs = beforeNs + tookNs / 2 - realtimeNs;
  }
  return offsetNs;
}

/** Sleeps until an absolute time: lateness of one sleep does not move the next. */
inline void SleepUntilNs(int64_t deadlineNs) {
  timespec deadline;
  deadline.tv_sec = static_cast<time_t>(deadlineNs / 1'000'000'000);
  deadline.tv_nsec = static_cast<long>(deadlineNs % 1'000'000'000);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, nullptr) == EINTR) {
  }
}

}  // namespace hamsa
