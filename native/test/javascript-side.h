#pragma once

#include <cstring>

#include "../media-layout.h"
#include "../mirrored-memory.h"

namespace hamsa {

/** Does to the shared memory what `src/rtp/native-frame-sender.ts` does. */
class FrameWriter {
 public:
  explicit FrameWriter(PortMemory* memory) : memory_(memory) {}

  uint32_t head() const { return head_; }
  uint32_t queued() const { return head_ - memory_->claimed.load(); }

  bool Write(const void* payload, size_t bytes, uint8_t payloadType, uint32_t timestampStep, uint8_t flags) {
    Settle();
    if (queued() >= kCapacityFrames || head_ - settled_ >= kFrameSlots) return false;
    Frame& frame = memory_->frames[head_ % kFrameSlots];
    frame.payloadBytes = static_cast<uint16_t>(bytes);
    frame.payloadType = payloadType;
    frame.flags = flags;
    frame.timestampStep = timestampStep;
    std::memcpy(frame.payload, payload, bytes);
    dropped_[head_ % kFrameSlots] = false;
    memory_->head.store(++head_);
    return true;
  }

  uint32_t Flush() {
    uint32_t claimed = memory_->claimed.load();
    while (claimed != head_ && !memory_->claimed.compare_exchange_weak(claimed, head_)) {
    }
    memory_->flushedTo.store(head_);
    for (uint32_t position = claimed; position != head_; position++) dropped_[position % kFrameSlots] = true;
    return head_ - claimed;
  }

  /** Gives back the places of frames that were sent or dropped. A frame that is being sent right now keeps its place. */
  void Settle() {
    const uint32_t done = memory_->done.load();
    while (settled_ != head_ && (dropped_[settled_ % kFrameSlots] || static_cast<int32_t>(done - settled_) > 0)) {
      settled_++;
    }
  }

  const Frame& At(uint32_t position) const { return memory_->frames[position % kFrameSlots]; }

 private:
  PortMemory* const memory_;
  uint32_t head_ = 0;
  uint32_t settled_ = 0;
  bool dropped_[kFrameSlots] = {};
};

/** Reads the packet ring as `src/rtp/native-transport.ts` does. */
class PacketReader {
 public:
  explicit PacketReader(const MirroredMemory& memory)
      : control_(reinterpret_cast<TransportControl*>(memory.data())), ring_(memory.data() + memory.prefixBytes()) {}

  /** Calls `handle(record, bytes)` for every record that is there. @returns how many. */
  template <typename Handle>
  size_t Drain(Handle handle) {
    size_t count = 0;
    const uint32_t head = control_->head.load();
    while (tail_ != head) {
      const PacketRecord* record = reinterpret_cast<const PacketRecord*>(ring_ + tail_ % kPacketRingBytes);
      handle(*record, reinterpret_cast<const uint8_t*>(record + 1));
      tail_ += static_cast<uint32_t>((sizeof(PacketRecord) + record->lengthBytes + 7) / 8 * 8);
      count++;
    }
    control_->tail.store(tail_);
    return count;
  }

  TransportControl* control() const { return control_; }

 private:
  TransportControl* const control_;
  const uint8_t* const ring_;
  uint32_t tail_ = 0;
};

}  // namespace hamsa
