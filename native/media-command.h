#pragma once

#include <atomic>

#include "media-port.h"
#include "paced-sender.h"

namespace hamsa {

/** What JavaScript's thread asks of the media thread. */
struct MediaCommand {
  enum class Kind { kStart, kReconfigure, kClose };

  Kind kind;
  MediaPort* port;
  /** Of `kStart`. */
  StreamStart start;
  /** Of `kStart` and `kReconfigure`. */
  Packetization packetization;
  MediaCommand* next;
};

/**
 * Commands on their way from one thread to another. Nobody ever waits: a thread that was stopped in the middle of a
 * call can not hold up the media thread, as it could with a lock.
 */
class MediaCommandQueue {
 public:
  ~MediaCommandQueue() { Delete(TakeAll()); }

  void Push(MediaCommand* command) {
    command->next = newest_.load(std::memory_order_relaxed);
    while (!newest_.compare_exchange_weak(command->next, command, std::memory_order_release)) {
    }
  }

  /** Everything that was pushed, oldest first, as a list by `next`. */
  MediaCommand* TakeAll() {
    MediaCommand* newestFirst = newest_.exchange(nullptr, std::memory_order_acquire);
    MediaCommand* oldestFirst = nullptr;
    while (newestFirst != nullptr) {
      MediaCommand* const following = newestFirst->next;
      newestFirst->next = oldestFirst;
      oldestFirst = newestFirst;
      newestFirst = following;
    }
    return oldestFirst;
  }

  static void Delete(MediaCommand* list) {
    while (list != nullptr) {
      MediaCommand* const next = list->next;
      delete list;
      list = next;
    }
  }

 private:
  std::atomic<MediaCommand*> newest_{nullptr};
};

}  // namespace hamsa
