#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>

#include "media-layout.h"
#include "media-port.h"

namespace hamsa {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
/**
 * Deadlines are whole multiples of this on the monotonic clock: streams that share one share a wake-up, which costs as
 * much as several packets.
 */
constexpr int64_t kPacingGridNs = 1'000'000;

/**
 * The streams that leave through the ports of a transport, and when each is due.
 *
 * Two threads may send at once. A stream belongs to whoever claimed it, for as long as one packet takes, and nobody
 * waits for a claim: a thread that the system stops in the middle of a packet keeps that one stream from the other
 * thread, and no other.
 */
class PacedStreams {
 public:
  /** `originNs` is where the milliseconds that JavaScript sees start. */
  PacedStreams(TransportControl* control, int64_t originNs);

  /**
   * The three change a stream; one thread calls them.
   *
   * @returns false, with nothing done, when the other thread is just sending this stream: later, then.
   */
  bool Start(MediaPort* port, const StreamStart& start, const Packetization& packetization);
  bool Reconfigure(MediaPort* port, const Packetization& packetization);
  /** Nobody touches the port any more. */
  bool Stop(MediaPort* port);

  struct Round {
    /** When something is due next; `kNever` without a stream. */
    int64_t earliestNs = kNever;
    /** Streams that were due and that the other thread did not have. */
    uint32_t sent = 0;
  };

  /** Sends what has been due for `graceNs`. Either thread. */
  Round Run(int64_t graceNs);
  /** Until then all is well, as far as is known: something has just been sent, or is due only then. */
  int64_t QuietUntilNs() const { return quietUntilNs_.load(std::memory_order_relaxed); }

  /** Whether a deadline has passed since `ForgetTicks`. */
  bool HasTicked() const { return ticked_.load(std::memory_order_relaxed); }
  void ForgetTicks() { ticked_.exchange(false, std::memory_order_acq_rel); }

 private:
  bool TryClaim(uint32_t slot) { return !claimed_[slot].exchange(true, std::memory_order_acquire); }
  void Release(uint32_t slot) { claimed_[slot].store(false, std::memory_order_release); }
  int64_t FirstDeadlineNs(int64_t ptimeNs) const;
  void Send(uint32_t slot, int64_t nowNs);

  TransportControl* const control_;
  const int64_t originNs_;
  /** No stream's slot is as high. */
  std::atomic<uint32_t> slots_{0};
  std::atomic<bool> ticked_{false};
  /** Written after every packet and every look, so that the other thread need not look at every stream. */
  alignas(64) std::atomic<int64_t> quietUntilNs_{0};
  /** By slot of the port; written by whoever has the claim. `kNever` where there is no stream. */
  alignas(64) std::array<std::atomic<int64_t>, kMaxPorts> deadlinesNs_;
  std::array<std::atomic<bool>, kMaxPorts> claimed_{};
  std::array<MediaPort*, kMaxPorts> ports_{};
};

}  // namespace hamsa
