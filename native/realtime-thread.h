#pragma once

#include <pthread.h>

namespace hamsa {

/**
 * Of the processors that this process may use: one thread on each half, so that what stops a processor for some
 * milliseconds (its owner's other work, or in a virtual machine the neighbours') stops only one of the two.
 */
enum class ProcessorHalf { kFirst, kSecond };

/** Whether there are two halves. */
bool HasTwoProcessors();

/**
 * Starts a thread that must be on time: with SCHED_FIFO, ahead of every ordinary thread, if the system permits it to
 * this process, otherwise with the shortest time slice there is, for which Linux wakes a thread ahead of others. It
 * takes no signals. `name` has 15 characters at most; `fifo` is told which it got.
 *
 * @returns 0, or the number of the system's error.
 */
int StartRealtimeThread(pthread_t* thread, const char* name, ProcessorHalf half, void* (*main)(void*), void* argument,
                        bool* fifo);

/** First thing in such a thread: what only itself can ask for. */
void PrepareRealtimeThread();

}  // namespace hamsa
