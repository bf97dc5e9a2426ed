// What the machine itself allows at this moment: a thread that does nothing but wake on a 1 ms grid, as the media thread
// does, with SCHED_FIFO if that is permitted. Prints one JSON object about the gaps, in ms, between wake-ups that are
// 20 ms apart on the grid. Built and run by bench/capacity/pacing.ts beside the measurement.
#include "../monotonic-clock.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr int64_t kGridNs = hamsa::kNsPerMs;
constexpr size_t kTicksPerPacket = 20;

double Percentile(const std::vector<double>& sorted, double fraction) {
  return sorted[static_cast<size_t>(fraction * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int count, char** arguments) {
  const size_t ticks = count > 1 ? std::strtoul(arguments[1], nullptr, 10) * 1000 : 1000;
  prctl(PR_SET_TIMERSLACK, 1);
  sched_param parameter{};
  parameter.sched_priority = 1;
  const bool fifo = pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameter) == 0;

  std::vector<int64_t> wokenNs(ticks);
  int64_t deadlineNs = (hamsa::MonotonicNs() / kGridNs + 1) * kGridNs;
  for (int64_t& woken : wokenNs) {
    hamsa::SleepUntilNs(deadlineNs);
    woken = hamsa::MonotonicNs();
    deadlineNs += kGridNs;
  }
  std::vector<double> gapsMs;
  for (size_t i = kTicksPerPacket; i < ticks; i++) {
    gapsMs.push_back(static_cast<double>(wokenNs[i] - wokenNs[i - kTicksPerPacket]) / 1e6);
  }
  std::sort(gapsMs.begin(), gapsMs.end());
  std::printf("{\"scheduling\":\"%s\",\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}\n", fifo ? "fifo" : "other",
              Percentile(gapsMs, 0.5), Percentile(gapsMs, 0.99), Percentile(gapsMs, 0.999), gapsMs.back());
}
