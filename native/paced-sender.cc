#include "paced-sender.h"

#include <cmath>
#include <cstring>

#include "monotonic-clock.h"

namespace hamsa {
namespace {

constexpr size_t kRtpHeaderBytes = 12;

/** Frames that may leave at once after a stall; what is later than that would only fill the peer's jitter buffer. */
constexpr int64_t kMaxCatchUpFrames = 3;

void WriteBigEndian32(uint8_t* to, uint32_t value) {
  to[0] = static_cast<uint8_t>(value >> 24);
  to[1] = static_cast<uint8_t>(value >> 16);
  to[2] = static_cast<uint8_t>(value >> 8);
  to[3] = static_cast<uint8_t>(value);
}

/** Adds to a counter that this thread alone writes. */
template <typename Number>
void Add(std::atomic<Number>& counter, Number amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_release);
}

}  // namespace

PacedSender::PacedSender(PortMemory* memory, const StreamStart& start, const Packetization& packetization,
                         int64_t firstDeadlineNs)
    : memory_(memory),
      ssrc_(start.ssrc),
      packetization_(packetization),
      deadlineNs_(firstDeadlineNs),
      sequenceNumber_(start.sequenceNumber),
      timestamp_(start.timestamp) {}

int64_t PacedSender::Run(int64_t nowNs, bool connected, int64_t originNs, Transmitter* transmitter) {
  const int64_t ptimeNs = packetization_.ptimeNs;
  if (nowNs < deadlineNs_) return 0;
  const int64_t due = (nowNs - deadlineNs_) / ptimeNs + 1;
  deadlineNs_ += due * ptimeNs;

  if (!connected || memory_->paused.load(std::memory_order_relaxed) != 0) {
    Skip(due);
    return 0;
  }
  const int64_t frames = due < kMaxCatchUpFrames ? due : kMaxCatchUpFrames;
  if (due > frames) Skip(due - frames);
  for (int64_t frame = 0; frame < frames; frame++) SendNext(originNs, transmitter);
  return due - frames;
}

void PacedSender::Skip(int64_t deadlines) {
  const uint32_t ticks = static_cast<uint32_t>(deadlines) * packetization_.timestampStep;
  if (eventTicks_ > 0) owedTicks_ += ticks;
  else timestamp_ += ticks;
  markNext_ = true;
}

void PacedSender::SendNext(int64_t originNs, Transmitter* transmitter) {
  uint32_t position;
  if (ClaimFrame(&position)) SendFrame(position, originNs, transmitter);
  else SendSilence(originNs, transmitter);
}

/** Takes the first queued frame, which then can not be flushed any more. @returns false when there is none. */
bool PacedSender::ClaimFrame(uint32_t* position) {
  uint32_t next = memory_->claimed.load(std::memory_order_acquire);
  while (next != memory_->head.load(std::memory_order_acquire)) {
    // On failure `next` is where a flush has just moved it.
    if (memory_->claimed.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel)) {
      *position = next;
      return true;
    }
  }
  return false;
}

void PacedSender::SendFrame(uint32_t position, int64_t originNs, Transmitter* transmitter) {
  Frame& frame = memory_->frames[position % kFrameSlots];
  // The lengths are JavaScript's; memory beyond the frame must not leave even if they were wrong.
  const size_t payloadBytes = frame.payloadBytes <= kMaxPayloadBytes ? frame.payloadBytes : 0;
  if (position == memory_->flushedTo.load(std::memory_order_acquire)) {
    AbandonEvent();
    talkspurt_ = true;
  }
  // A break in the middle of an event must not look like the start of another event.
  const bool marker = (frame.flags & kFrameMarker) != 0 || (eventTicks_ == 0 && (talkspurt_ || markNext_));
  talkspurt_ = false;
  frame.timestamp = timestamp_;
  frame.sentAtMs = Send(frame.payload, payloadBytes, frame.payloadType, marker, originNs, transmitter);
  if (frame.timestampStep == 0) {
    eventTicks_ += packetization_.timestampStep;
  } else {
    timestamp_ += frame.timestampStep + owedTicks_;
    eventTicks_ = 0;
    owedTicks_ = 0;
  }
  memory_->done.store(position + 1, std::memory_order_release);
}

void PacedSender::SendSilence(int64_t originNs, Transmitter* transmitter) {
  AbandonEvent();
  talkspurt_ = true;
  Send(packetization_.silence, packetization_.silenceBytes, packetization_.silencePayloadType, markNext_, originNs,
       transmitter);
  timestamp_ += packetization_.timestampStep;
}

/** @returns when it left, in JavaScript's milliseconds, or NaN. */
double PacedSender::Send(const uint8_t* payload, size_t payloadBytes, uint8_t payloadType, bool marker,
                         int64_t originNs, Transmitter* transmitter) {
  uint8_t packet[kRtpHeaderBytes + kMaxPayloadBytes];
  packet[0] = 0x80;
  packet[1] = static_cast<uint8_t>((payloadType & 0x7f) | (marker ? 0x80 : 0));
  packet[2] = static_cast<uint8_t>(sequenceNumber_ >> 8);
  packet[3] = static_cast<uint8_t>(sequenceNumber_);
  WriteBigEndian32(packet + 4, timestamp_);
  WriteBigEndian32(packet + 8, ssrc_);
  std::memcpy(packet + kRtpHeaderBytes, payload, payloadBytes);
  sequenceNumber_++;
  if (marker) markNext_ = false;
  if (!transmitter->Transmit(packet, kRtpHeaderBytes + payloadBytes)) {
    Add(memory_->sendErrors, 1u);
    return std::nan("");
  }
  const double sentAtMs = static_cast<double>(MonotonicNs() - originNs) / static_cast<double>(kNsPerMs);
  // An odd version tells a reader that the four numbers do not belong together yet. Each is a release, so that a
  // reader that sees a new one sees the odd version as well.
  Add(memory_->version, 1u);
  Add(memory_->packetsSent, 1u);
  Add(memory_->octetsSent, static_cast<double>(payloadBytes));
  memory_->lastTimestamp.store(timestamp_, std::memory_order_release);
  memory_->lastSentMs.store(sentAtMs, std::memory_order_release);
  Add(memory_->version, 1u);
  return sentAtMs;
}

/** An event whose last packet never came has taken time all the same. */
void PacedSender::AbandonEvent() {
  timestamp_ += eventTicks_ + owedTicks_;
  eventTicks_ = 0;
  owedTicks_ = 0;
}

}  // namespace hamsa
