#include "realtime-thread.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>

namespace hamsa {
namespace {

/** Ahead of ordinary threads is enough; real-time threads of the machine's owner go first. */
constexpr int kFifoPriority = 1;

/** The shortest slice that Linux takes (since 6.12). */
constexpr uint64_t kSliceNs = 100'000;

/** `struct sched_attr` of the system call's first version; the C library has none. */
struct SchedulingAttributes {
  uint32_t sizeBytes = sizeof(SchedulingAttributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtimeNs = kSliceNs;
  uint64_t deadlineNs = 0;
  uint64_t periodNs = 0;
};

/** @returns false when this process may use but one processor. */
bool ProcessorsOf(ProcessorHalf half, cpu_set_t* processors) {
  cpu_set_t all;
  CPU_ZERO(processors);
  if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2) return false;
  const int total = CPU_COUNT(&all);
  // Every other process begins at the other end: several gateways on a machine do not meet on the same processors.
  const bool lower = (half == ProcessorHalf::kFirst) == (getpid() % 2 == 0);
  int seen = 0;
  for (int processor = 0; processor < CPU_SETSIZE; processor++) {
    if (!CPU_ISSET(processor, &all)) continue;
    if ((seen < total / 2) == lower) CPU_SET(processor, processors);
    seen++;
  }
  return true;
}

int Create(pthread_t* thread, bool fifo, ProcessorHalf half, void* (*main)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  cpu_set_t processors;
  if (ProcessorsOf(half, &processors)) pthread_attr_setaffinity_np(&attributes, sizeof processors, &processors);
  if (fifo) {
    sched_param parameter{};
    parameter.sched_priority = kFifoPriority;
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
    pthread_attr_setschedparam(&attributes, &parameter);
  }
  const int error = pthread_create(thread, &attributes, main, argument);
  pthread_attr_destroy(&attributes);
  return error;
}

}  // namespace

bool HasTwoProcessors() {
  cpu_set_t processors;
  return ProcessorsOf(ProcessorHalf::kFirst, &processors);
}

int StartRealtimeThread(pthread_t* thread, const char* name, ProcessorHalf half, void* (*main)(void*), void* argument,
                        bool* fifo) {
  // The new thread inherits this mask: signals are the main thread's.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = Create(thread, true, half, main, argument);
  *fifo = error == 0;
  if (error != 0) error = Create(thread, false, half, main, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == 0) pthread_setname_np(*thread, name);
  return error;
}

void PrepareRealtimeThread() {
  // Timers of ordinary threads are up to 50 µs late by default; those of real-time threads have no slack.
  prctl(PR_SET_TIMERSLACK, 1);
  if (sched_getscheduler(0) != SCHED_OTHER) return;
  // An older kernel ignores the slice.
  SchedulingAttributes attributes;
  attributes.nice = getpriority(PRIO_PROCESS, 0);
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace hamsa
