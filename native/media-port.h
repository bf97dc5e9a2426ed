#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "paced-sender.h"
#include "udp-socket.h"

namespace hamsa {

struct MediaPort;

/** One of the two sockets of a port. */
struct MediaSocket {
  MediaPort* port;
  int udp;
  bool isRtcp;
  /** Media thread: the kernel's count of lost datagrams that was last reported. */
  uint32_t dropsSeen;
};

/**
 * One pair of sockets and the stream that leaves through it. JavaScript's thread creates it, and destroys it once the
 * media thread has carried out the command that closes it.
 */
struct MediaPort {
  MediaPort(uint32_t portId, const SocketPair& pair, PortMemory* portMemory)
      : id(portId), memory(portMemory), rtp{this, pair.rtp, false, 0}, rtcp{this, pair.rtcp, true, 0} {}

  const uint32_t id;
  PortMemory* const memory;
  MediaSocket rtp;
  MediaSocket rtcp;

  /** JavaScript's thread. Where packets go; 0 is nowhere. */
  std::atomic<Endpoint> rtpRemote{0};
  std::atomic<Endpoint> rtcpRemote{0};
  /** JavaScript's thread: nothing more may leave. */
  std::atomic<bool> closed{false};
  /** Media thread: neither it nor the standby thread will touch this port again. */
  std::atomic<bool> released{false};

  /** Of whoever has claimed the stream. */
  std::optional<PacedSender> sender;
};

}  // namespace hamsa
