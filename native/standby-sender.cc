#include "standby-sender.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "monotonic-clock.h"
#include "realtime-thread.h"

namespace hamsa {
namespace {

/** How long nothing has left although something is due when this thread looks, and how late a packet is that it sends. */
constexpr int64_t kGraceNs = kNsPerMs / 10;
/** A stream that has just started, and the end, are noticed after this. */
constexpr int64_t kLongestSleepNs = 5 * kNsPerMs;

}  // namespace

StandbySender::StandbySender(PacedStreams* streams, TransportControl* control) : streams_(streams), control_(control) {}

StandbySender::~StandbySender() {
  Stop();
  if (rouse_ >= 0) close(rouse_);
}

void StandbySender::Start() {
  if (!HasTwoProcessors()) return;
  rouse_ = eventfd(0, EFD_CLOEXEC);
  if (rouse_ < 0) return;
  bool fifo;
  started_ = StartRealtimeThread(&thread_, "hamsa-standby", ProcessorHalf::kSecond, Main, this, &fifo) == 0;
}

void StandbySender::Stop() {
  if (!started_) return;
  stop_.store(true, std::memory_order_release);
  Rouse();
  pthread_join(thread_, nullptr);
  started_ = false;
}

void StandbySender::Rouse() {
  const uint64_t one = 1;
  // It would wait only after 2^64 calls, and fails only without the thread.
  if (write(rouse_, &one, sizeof one) < 0) return;
}

void* StandbySender::Main(void* self) {
  static_cast<StandbySender*>(self)->Loop();
  return nullptr;
}

void StandbySender::Loop() {
  PrepareRealtimeThread();
  while (!stop_.load(std::memory_order_acquire)) {
    const int64_t nowNs = MonotonicNs();
    const int64_t quietUntilNs = streams_->QuietUntilNs();
    if (quietUntilNs != kNever && nowNs < quietUntilNs + kGraceNs) {
      SleepUntilNs(std::min(quietUntilNs + kGraceNs, nowNs + kLongestSleepNs));
      continue;
    }
    const PacedStreams::Round round = streams_->Run(kGraceNs);
    if (round.sent > 0) control_->standbySent.fetch_add(round.sent, std::memory_order_relaxed);
    if (round.earliestNs != kNever) continue;
    uint64_t roused;
    if (read(rouse_, &roused, sizeof roused) < 0) continue;
  }
}

}  // namespace hamsa
