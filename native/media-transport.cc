#include "media-transport.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

namespace hamsa {
namespace {

/** Zeroed pages that take memory only once they are used. */
std::shared_ptr<PortMemory> AllocateChunk() {
  constexpr size_t kBytes = kPortsPerChunk * sizeof(PortMemory);
  void* const pages = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
  return {static_cast<PortMemory*>(pages), [](PortMemory* chunk) { munmap(chunk, kBytes); }};
}

void Reset(PortMemory* memory) {
  for (std::atomic<uint32_t>* word :
       {&memory->head, &memory->flushedTo, &memory->paused, &memory->claimed, &memory->done, &memory->sendErrors,
        &memory->receiveDrops, &memory->version, &memory->packetsSent, &memory->lastTimestamp}) {
    word->store(0, std::memory_order_relaxed);
  }
  memory->octetsSent.store(0, std::memory_order_relaxed);
  memory->lastSentMs.store(-std::numeric_limits<double>::infinity(), std::memory_order_relaxed);
}

}  // namespace

MediaTransport::MediaTransport(int64_t originNs, void (*wake)(void*), void* context)
    : originNs_(originNs), wake_(wake), context_(context) {}

MediaTransport::~MediaTransport() { Stop(); }

int MediaTransport::Start() {
  memory_ = MirroredMemory::Create(sizeof(TransportControl), kPacketRingBytes);
  if (memory_ == nullptr) return errno;
  unusableSocket_ = OpenUnusableSocket();
  if (unusableSocket_ < 0) return errno;
  thread_ = std::make_unique<MediaThread>(memory_, originNs_, wake_, context_);
  return thread_->Start();
}

void MediaTransport::Stop() {
  if (thread_ != nullptr) thread_->Stop();
  for (const std::unique_ptr<MediaPort>& port : ports_) {
    if (port == nullptr || port->released.load(std::memory_order_acquire)) continue;
    close(port->rtp.udp);
    close(port->rtcp.udp);
  }
  ports_.clear();
  closed_.clear();
  if (unusableSocket_ >= 0) close(unusableSocket_);
  unusableSocket_ = -1;
}

int MediaTransport::Open(uint32_t address, uint16_t rtpPort, uint32_t* portId, uint16_t* boundPort) {
  SocketPair pair;
  int error = OpenSocketPair(address, rtpPort, &pair);
  if (error != 0) return error;
  uint32_t slot;
  error = TakeSlot(&slot);
  if (error != 0) {
    close(pair.rtp);
    close(pair.rtcp);
    return error;
  }
  // Two ports that have the same slot one after the other differ in the upper bits.
  *portId = slot + opened_++ % (UINT32_MAX / kMaxPorts) * kMaxPorts;
  *boundPort = pair.rtpPort;
  Reset(MemoryOf(slot));
  ports_[slot] = std::make_unique<MediaPort>(*portId, pair, MemoryOf(slot));
  for (MediaSocket* socket : {&ports_[slot]->rtp, &ports_[slot]->rtcp}) {
    error = thread_->Watch(socket);
    if (error != 0) {
      Close(*portId);
      return error;
    }
  }
  return 0;
}

int MediaTransport::TakeSlot(uint32_t* slot) {
  if (!closed_.empty() && ports_[closed_.front()]->released.load(std::memory_order_acquire)) {
    *slot = closed_.front();
    closed_.pop_front();
    return 0;
  }
  if (ports_.size() == kMaxPorts) return EMFILE;
  if (ports_.size() == chunks_.size() * kPortsPerChunk) {
    std::shared_ptr<PortMemory> chunk = AllocateChunk();
    if (chunk == nullptr) return errno;
    chunks_.push_back(std::move(chunk));
  }
  *slot = static_cast<uint32_t>(ports_.size());
  ports_.push_back(nullptr);
  return 0;
}

PortMemory* MediaTransport::MemoryOf(uint32_t slot) const {
  return chunks_[slot / kPortsPerChunk].get() + slot % kPortsPerChunk;
}

MediaPort* MediaTransport::Find(uint32_t portId) const {
  const uint32_t slot = portId % kMaxPorts;
  if (slot >= ports_.size() || ports_[slot] == nullptr || ports_[slot]->id != portId) return nullptr;
  return ports_[slot]->closed.load(std::memory_order_relaxed) ? nullptr : ports_[slot].get();
}

void MediaTransport::SetRemote(uint32_t portId, Endpoint rtp, Endpoint rtcp) {
  MediaPort* const port = Find(portId);
  if (port == nullptr) return;
  port->rtpRemote.store(rtp, std::memory_order_relaxed);
  port->rtcpRemote.store(rtcp, std::memory_order_relaxed);
}

void MediaTransport::StartSending(uint32_t portId, const StreamStart& start, const Packetization& packetization) {
  MediaPort* const port = Find(portId);
  if (port != nullptr) thread_->Submit({MediaCommand::Kind::kStart, port, start, packetization, nullptr});
}

void MediaTransport::Reconfigure(uint32_t portId, const Packetization& packetization) {
  MediaPort* const port = Find(portId);
  if (port != nullptr) thread_->Submit({MediaCommand::Kind::kReconfigure, port, {}, packetization, nullptr});
}

bool MediaTransport::SendRtcp(uint32_t portId, const uint8_t* bytes, size_t length) {
  MediaPort* const port = Find(portId);
  if (port == nullptr) return true;
  const Endpoint to = port->rtcpRemote.load(std::memory_order_relaxed);
  return to == 0 || SendDatagram(port->rtcp.udp, to, bytes, length);
}

void MediaTransport::Close(uint32_t portId) {
  MediaPort* const port = Find(portId);
  if (port == nullptr) return;
  port->closed.store(true, std::memory_order_release);
  for (MediaSocket* socket : {&port->rtp, &port->rtcp}) {
    thread_->Unwatch(socket);
    RetireSocket(socket->udp, unusableSocket_);
  }
  closed_.push_back(portId % kMaxPorts);
  thread_->Submit({MediaCommand::Kind::kClose, port, {}, {}, nullptr});
}

}  // namespace hamsa
