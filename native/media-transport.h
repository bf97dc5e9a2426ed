#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "media-thread.h"

namespace hamsa {

/**
 * All media ports of one gateway and the thread that serves them. Every function belongs to JavaScript's thread; what
 * the two threads share is in `media-layout.h`.
 */
class MediaTransport {
 public:
  /** `originNs` is the monotonic time at which JavaScript's milliseconds start. `wake` as for `MediaThread`. */
  MediaTransport(int64_t originNs, void (*wake)(void*), void* context);
  ~MediaTransport();

  /** Allocates the memory and starts the thread. @returns 0, or the number of the system's error. Once. */
  int Start();
  /** Ends the thread and closes every port. Idempotent. */
  void Stop();

  /** Binds a pair (0: of the system's choice). @returns 0, or the number of the system's error. */
  int Open(uint32_t address, uint16_t rtpPort, uint32_t* portId, uint16_t* boundPort);

  /** Of an open port; the others answer for a closed one by doing nothing. */
  bool IsOpen(uint32_t portId) const { return Find(portId) != nullptr; }
  void SetRemote(uint32_t portId, Endpoint rtp, Endpoint rtcp);
  void StartSending(uint32_t portId, const StreamStart& start, const Packetization& packetization);
  void Reconfigure(uint32_t portId, const Packetization& packetization);
  /** @returns whether the system took it. */
  bool SendRtcp(uint32_t portId, const uint8_t* bytes, size_t length);
  /** Nothing leaves or arrives any more, and the ports are free, when this returns. */
  void Close(uint32_t portId);

  void WakeHandled() { thread_->WakeHandled(); }
  bool fifo() const { return thread_->fifo(); }

  /** Control block and packet ring. */
  const std::shared_ptr<MirroredMemory>& memory() const { return memory_; }
  /** The memory of `kPortsPerChunk` ports; port p is number p % kPortsPerChunk of chunk p % kMaxPorts / kPortsPerChunk. */
  const std::shared_ptr<PortMemory>& chunk(size_t index) const { return chunks_[index]; }
  size_t chunks() const { return chunks_.size(); }

 private:
  MediaPort* Find(uint32_t portId) const;
  int TakeSlot(uint32_t* slot);
  PortMemory* MemoryOf(uint32_t slot) const;

  const int64_t originNs_;
  void (*const wake_)(void*);
  void* const context_;
  std::shared_ptr<MirroredMemory> memory_;
  std::vector<std::shared_ptr<PortMemory>> chunks_;
  /** By slot; a port keeps its place until the media thread has let go of it. */
  std::vector<std::unique_ptr<MediaPort>> ports_;
  /** Slots of closed ports, oldest first: a slot rests for as long as others are free. */
  std::deque<uint32_t> closed_;
  uint32_t opened_ = 0;
  int unusableSocket_ = -1;
  std::unique_ptr<MediaThread> thread_;
};

}  // namespace hamsa
