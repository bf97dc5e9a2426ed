#include "paced-streams.h"

#include <algorithm>

#include "monotonic-clock.h"

namespace hamsa {
namespace {

/** Streams are spread over this many points of the grid at most. */
constexpr int64_t kMaxPhases = 64;

struct SocketTransmitter final : Transmitter {
  SocketTransmitter(int socket, Endpoint endpoint) : udp(socket), to(endpoint) {}
  bool Transmit(const uint8_t* packet, size_t length) override { return SendDatagram(udp, to, packet, length); }
  const int udp;
  const Endpoint to;
};

void RaiseTo(std::atomic<uint32_t>& highest, uint32_t value) {
  uint32_t found = highest.load(std::memory_order_relaxed);
  while (found < value && !highest.compare_exchange_weak(found, value, std::memory_order_relaxed)) {
  }
}

}  // namespace

PacedStreams::PacedStreams(TransportControl* control, int64_t originNs) : control_(control), originNs_(originNs) {
  for (std::atomic<int64_t>& deadlineNs : deadlinesNs_) deadlineNs.store(kNever, std::memory_order_relaxed);
}

bool PacedStreams::Start(MediaPort* port, const StreamStart& start, const Packetization& packetization) {
  const uint32_t slot = port->id % kMaxPorts;
  if (!TryClaim(slot)) return false;
  port->sender.emplace(port->memory, start, packetization, FirstDeadlineNs(packetization.ptimeNs));
  ports_[slot] = port;
  deadlinesNs_[slot].store(port->sender->deadlineNs(), std::memory_order_relaxed);
  Release(slot);
  RaiseTo(slots_, slot + 1);
  return true;
}

bool PacedStreams::Reconfigure(MediaPort* port, const Packetization& packetization) {
  const uint32_t slot = port->id % kMaxPorts;
  if (!TryClaim(slot)) return false;
  if (port->sender) port->sender->Reconfigure(packetization);
  Release(slot);
  return true;
}

bool PacedStreams::Stop(MediaPort* port) {
  const uint32_t slot = port->id % kMaxPorts;
  if (!TryClaim(slot)) return false;
  deadlinesNs_[slot].store(kNever, std::memory_order_relaxed);
  ports_[slot] = nullptr;
  Release(slot);
  return true;
}

/** The point of the grid, within the next `ptimeNs`, at which the fewest streams send. */
int64_t PacedStreams::FirstDeadlineNs(int64_t ptimeNs) const {
  const int64_t startNs = (MonotonicNs() / kPacingGridNs + 1) * kPacingGridNs;
  const int64_t phases = std::clamp<int64_t>(ptimeNs / kPacingGridNs, 1, kMaxPhases);
  int load[kMaxPhases] = {};
  for (uint32_t slot = 0; slot < slots_.load(std::memory_order_relaxed); slot++) {
    const int64_t deadlineNs = deadlinesNs_[slot].load(std::memory_order_relaxed);
    if (deadlineNs == kNever) continue;
    const int64_t phaseNs = ((deadlineNs - startNs) % ptimeNs + ptimeNs) % ptimeNs;
    load[std::min(phaseNs / kPacingGridNs, phases - 1)]++;
  }
  return startNs + (std::min_element(load, load + phases) - load) * kPacingGridNs;
}

PacedStreams::Round PacedStreams::Run(int64_t graceNs) {
  Round round;
  int64_t nowNs = MonotonicNs();
  const uint32_t slots = slots_.load(std::memory_order_acquire);
  for (uint32_t slot = 0; slot < slots; slot++) {
    int64_t deadlineNs = deadlinesNs_[slot].load(std::memory_order_relaxed);
    if (deadlineNs == kNever) continue;
    if (deadlineNs <= nowNs - graceNs) {
      if (!TryClaim(slot)) {
        // The other thread is at it, and its next deadline is not known yet.
        round.earliestNs = std::min(round.earliestNs, nowNs + kPacingGridNs);
        continue;
      }
      deadlineNs = deadlinesNs_[slot].load(std::memory_order_relaxed);
      if (deadlineNs <= nowNs - graceNs) {
        Send(slot, nowNs);
        round.sent++;
        nowNs = MonotonicNs();
        quietUntilNs_.store(nowNs, std::memory_order_relaxed);
        deadlineNs = deadlinesNs_[slot].load(std::memory_order_relaxed);
      }
      Release(slot);
    }
    round.earliestNs = std::min(round.earliestNs, deadlineNs);
  }
  quietUntilNs_.store(round.earliestNs, std::memory_order_relaxed);
  return round;
}

void PacedStreams::Send(uint32_t slot, int64_t nowNs) {
  MediaPort* const port = ports_[slot];
  const int64_t lateUs = (nowNs - port->sender->deadlineNs()) / 1000;
  RaiseTo(control_->maxLateUs, static_cast<uint32_t>(std::min<int64_t>(lateUs, UINT32_MAX)));
  const Endpoint remote = port->rtpRemote.load(std::memory_order_relaxed);
  SocketTransmitter transmitter(port->rtp.udp, remote);
  const bool connected = remote != 0 && !port->closed.load(std::memory_order_acquire);
  const int64_t skipped = port->sender->Run(nowNs, connected, originNs_, &transmitter);
  if (skipped > 0) control_->skippedDeadlines.fetch_add(static_cast<uint32_t>(skipped), std::memory_order_relaxed);
  deadlinesNs_[slot].store(port->sender->deadlineNs(), std::memory_order_relaxed);
  std::atomic<uint32_t>& ticks = control_->ticks[slot];
  ticks.store(ticks.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  ticked_.store(true, std::memory_order_release);
}

}  // namespace hamsa
