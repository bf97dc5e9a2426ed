#pragma once

#include <cstdint>
#include <memory>

#include "media-layout.h"
#include "mirrored-memory.h"

namespace hamsa {

/**
 * The producer's side of the ring in which received datagrams wait for JavaScript. Records are contiguous: what wraps
 * runs on into the mirrored half. One thread uses it.
 */
class PacketRing {
 public:
  /** `memory` has the control block in front of the ring. */
  explicit PacketRing(std::shared_ptr<MirroredMemory> memory)
      : memory_(std::move(memory)),
        control_(reinterpret_cast<TransportControl*>(memory_->data())),
        ring_(memory_->data() + memory_->prefixBytes()) {}

  /** Room for the longest record at the end of the ring, or null when it is full. */
  PacketRecord* Reserve() const {
    const uint32_t used = head_ - control_->tail.load(std::memory_order_acquire);
    if (used > kPacketRingBytes - sizeof(PacketRecord) - kMaxDatagramBytes) return nullptr;
    return reinterpret_cast<PacketRecord*>(ring_ + head_ % kPacketRingBytes);
  }

  static uint8_t* Payload(PacketRecord* record) { return reinterpret_cast<uint8_t*>(record + 1); }

  /** Publishes the record that was reserved last, with its `lengthBytes`. */
  void Commit(const PacketRecord* record) {
    head_ += static_cast<uint32_t>((sizeof(PacketRecord) + record->lengthBytes + 7) / 8 * 8);
    control_->head.store(head_, std::memory_order_release);
  }

  bool Empty() const { return control_->tail.load(std::memory_order_acquire) == head_; }

  TransportControl* control() const { return control_; }

 private:
  const std::shared_ptr<MirroredMemory> memory_;
  TransportControl* const control_;
  uint8_t* const ring_;
  /** Only this side moves it; the control block has a copy for the consumer. */
  uint32_t head_ = 0;
};

}  // namespace hamsa
