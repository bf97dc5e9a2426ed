#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "media-command.h"
#include "media-port.h"
#include "paced-streams.h"
#include "packet-ring.h"
#include "standby-sender.h"

namespace hamsa {

/**
 * The one thread that receives and sends the media of a transport.
 *
 * ```
 *  sleep until the next deadline ─► commands ─► send what is due ─► every few ms: drain the sockets, wake JavaScript ─┐
 *       ▲                                                                                                              │
 *       └──────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * It never spins: it sleeps until an absolute time, or, when it has nothing to send and nothing unread, until a packet
 * comes. It takes no lock and allocates only when a port starts to send.
 */
class MediaThread {
 public:
  /** `wake(context)` is called on the media thread, at most once between two calls of `WakeHandled`. */
  MediaThread(std::shared_ptr<MirroredMemory> memory, int64_t originNs, void (*wake)(void*), void* context);
  ~MediaThread();

  /** @returns 0, or the number of the system's error. Once. */
  int Start();
  /** Returns when the thread has ended. Idempotent. */
  void Stop();

  /** JavaScript's thread: datagrams of `socket` go into the ring from now on. @returns 0 or the system's error. */
  int Watch(MediaSocket* socket);
  /**
   * JavaScript's thread. The media thread may still be busy with the port until it has carried out the command that
   * closes it.
   */
  void Unwatch(MediaSocket* socket);

  /** JavaScript's thread. */
  void Submit(const MediaCommand& command);
  /** JavaScript's thread, after it has looked at the ring and the ticks; what came meanwhile wakes it at the next drain. */
  void WakeHandled() { wakePending_.store(false, std::memory_order_seq_cst); }

  /** Whether it runs with SCHED_FIFO, ahead of every ordinary thread; the system permits that to few. */
  bool fifo() const { return fifo_; }

 private:
  static void* Main(void* self);
  void Loop();
  void TakeCommands();
  bool Execute(const MediaCommand& command);
  bool Drain(int64_t untilNs);
  bool ReceiveOne(MediaSocket* socket, PacketRecord* record, int64_t nowNs, int64_t realtimeOffsetNs);
  void WakeIfNeeded();
  void Rest(int64_t nextSendNs, int64_t nextDrainNs);
  void Kick();
  void TakeKick();

  PacketRing ring_;
  const int64_t originNs_;
  void (*const wake_)(void*);
  void* const context_;

  int epoll_ = -1;
  int kick_ = -1;
  pthread_t thread_{};
  bool started_ = false;
  bool fifo_ = false;
  std::atomic<bool> stop_{false};
  std::atomic<bool> wakePending_{false};
  MediaCommandQueue commands_;
  /** Carried out; JavaScript's thread deletes them, so that the media thread does not enter the allocator. */
  MediaCommandQueue executed_;

  /** Media thread: `kick_` can be read. */
  bool kicked_ = false;
  /** Media thread: taken, not carried out yet. */
  MediaCommand* pending_ = nullptr;
  PacedStreams streams_;
  StandbySender standby_;
};

}  // namespace hamsa
