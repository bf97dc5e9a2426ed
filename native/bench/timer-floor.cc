// What the machine itself allows at this moment: two threads that do nothing but wake on a 1 ms grid, as the media and the
// standby thread do, on the same processors and with SCHED_FIFO if that is permitted. Prints one JSON object about the
// gaps, in ms, between wake-ups that are 20 ms apart on the grid: those of one thread, and those to whichever of the two
// woke first. Built and run by bench/capacity/pacing.ts beside the measurement.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "../monotonic-clock.h"
#include "../realtime-thread.h"

using namespace hamsa;

namespace {

constexpr int64_t kGridNs = kNsPerMs;
constexpr size_t kTicksPerPacket = 20;

struct Sleeper {
  int64_t startNs;
  std::vector<int64_t> wokenNs;
};

void* Sleep(void* argument) {
  Sleeper* const self = static_cast<Sleeper*>(argument);
  PrepareRealtimeThread();
  int64_t deadlineNs = self->startNs;
  for (int64_t& wokenNs : self->wokenNs) {
    SleepUntilNs(deadlineNs);
    wokenNs = MonotonicNs();
    deadlineNs += kGridNs;
  }
  return nullptr;
}

double Percentile(const std::vector<double>& sorted, double fraction) {
  return sorted[static_cast<size_t>(fraction * static_cast<double>(sorted.size() - 1))];
}

void Print(const char* name, const std::vector<int64_t>& wokenNs) {
  std::vector<double> gapsMs;
  for (size_t i = kTicksPerPacket; i < wokenNs.size(); i++) {
    gapsMs.push_back(static_cast<double>(wokenNs[i] - wokenNs[i - kTicksPerPacket]) / 1e6);
  }
  std::sort(gapsMs.begin(), gapsMs.end());
  std::printf("\"%s\":{\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}", name, Percentile(gapsMs, 0.5),
              Percentile(gapsMs, 0.99), Percentile(gapsMs, 0.999), gapsMs.back());
}

}  // namespace

int main(int count, char** arguments) {
  const size_t ticks = count > 1 ? std::strtoul(arguments[1], nullptr, 10) * 1000 : 1000;
  const int64_t startNs = (MonotonicNs() / kGridNs + 10) * kGridNs;
  Sleeper first{startNs, std::vector<int64_t>(ticks)};
  Sleeper second{startNs, std::vector<int64_t>(ticks)};
  pthread_t threads[2];
  bool fifo;
  if (StartRealtimeThread(&threads[0], "timer-floor", ProcessorHalf::kFirst, Sleep, &first, &fifo) != 0) return 1;
  if (StartRealtimeThread(&threads[1], "timer-floor", ProcessorHalf::kSecond, Sleep, &second, &fifo) != 0) return 1;
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);

  std::vector<int64_t> earlier(ticks);
  for (size_t i = 0; i < ticks; i++) earlier[i] = std::min(first.wokenNs[i], second.wokenNs[i]);
  std::printf("{\"scheduling\":\"%s\",", fifo ? "fifo" : "other");
  Print("one", first.wokenNs);
  std::printf(",");
  Print("firstOfTwo", earlier);
  std::printf("}\n");
}
