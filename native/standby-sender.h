#pragma once

#include <pthread.h>

#include <atomic>

#include "paced-streams.h"

namespace hamsa {

/**
 * A second thread, on another processor, that sends what the media thread is late with.
 *
 * A processor stands still for milliseconds more often than one would think: the neighbours of a virtual machine, an
 * interrupt, a system call that can not be interrupted. Two seldom do so at once. In quiet times the thread only looks.
 */
class StandbySender {
 public:
  StandbySender(PacedStreams* streams, TransportControl* control);
  ~StandbySender();

  /** Once. Without a second processor, or when the system gives no thread, there is no standby. */
  void Start();
  /** Returns when the thread has ended. Idempotent. */
  void Stop();
  /** Media thread: there is a stream. */
  void Rouse();

 private:
  static void* Main(void* self);
  void Loop();

  PacedStreams* const streams_;
  TransportControl* const control_;
  int rouse_ = -1;
  pthread_t thread_{};
  bool started_ = false;
  std::atomic<bool> stop_{false};
};

}  // namespace hamsa
