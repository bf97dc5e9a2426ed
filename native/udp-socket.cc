#include "udp-socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hamsa {
namespace {

/** Holds well over a second of packets, so that a full packet ring loses none; the system may grant less. */
constexpr int kReceiveBufferBytes = 512 * 1024;

/** Expedited forwarding, the class of telephony (RFC 4594 section 4.1). */
constexpr int kTrafficClass = IPTOS_DSCP_EF;

/** How often the system is asked for a pair of its own choice; its neighbour is rarely taken. */
constexpr int kSystemPairAttempts = 50;

sockaddr_in SocketAddress(uint32_t address, uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(address);
  name.sin_port = htons(port);
  return name;
}

/** @returns a bound socket, or -1 with `errno`. */
int Bind(uint32_t address, uint16_t port) {
  const int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (udp < 0) return -1;
  const int on = 1;
  // Media works without any of these; each makes it better.
  setsockopt(udp, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  setsockopt(udp, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
  setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof kReceiveBufferBytes);
  setsockopt(udp, IPPROTO_IP, IP_TOS, &kTrafficClass, sizeof kTrafficClass);
  const sockaddr_in name = SocketAddress(address, port);
  if (bind(udp, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return udp;
  const int reason = errno;
  close(udp);
  errno = reason;
  return -1;
}

uint16_t BoundPort(int udp) {
  sockaddr_in name{};
  socklen_t length = sizeof name;
  getsockname(udp, reinterpret_cast<sockaddr*>(&name), &length);
  return ntohs(name.sin_port);
}

}  // namespace

int OpenSocketPair(uint32_t address, uint16_t rtpPort, SocketPair* pair) {
  const int attempts = rtpPort == 0 ? kSystemPairAttempts : 1;
  for (int attempt = 0; attempt < attempts; attempt++) {
    const int first = Bind(address, rtpPort);
    if (first < 0) return errno;
    const uint16_t port = BoundPort(first);
    const int second = Bind(address, port ^ 1);
    if (second >= 0) {
      const bool even = port % 2 == 0;
      *pair = {even ? first : second, even ? second : first, static_cast<uint16_t>(port & ~1)};
      return 0;
    }
    const int reason = errno;
    close(first);
    if (reason != EADDRINUSE) return reason;
  }
  return EADDRINUSE;
}

int OpenUnusableSocket() { return socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

void RetireSocket(int udp, int unusable) { dup3(unusable, udp, O_CLOEXEC); }

ptrdiff_t ReceiveDatagram(int udp, uint8_t* into, size_t capacity, Datagram* datagram) {
  sockaddr_in from{};
  iovec vector{into, capacity};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec)) + CMSG_SPACE(sizeof(uint32_t))];
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ptrdiff_t length = recvmsg(udp, &message, 0);
  if (length < 0) return -1;

  datagram->source = Endpoint{ntohl(from.sin_addr.s_addr)} << 16 | ntohs(from.sin_port);
  datagram->truncated = (message.msg_flags & MSG_TRUNC) != 0;
  datagram->arrivalRealtimeNs = 0;
  datagram->hasDrops = false;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_TIMESTAMPNS) {
      timespec arrival;
      std::memcpy(&arrival, CMSG_DATA(part), sizeof arrival);
      datagram->arrivalRealtimeNs = int64_t{arrival.tv_sec} * 1'000'000'000 + arrival.tv_nsec;
    } else if (part->cmsg_type == SO_RXQ_OVFL) {
      std::memcpy(&datagram->drops, CMSG_DATA(part), sizeof datagram->drops);
      datagram->hasDrops = true;
    }
  }
  return length;
}

bool SendDatagram(int udp, Endpoint to, const uint8_t* bytes, size_t length) {
  const sockaddr_in name = SocketAddress(static_cast<uint32_t>(to >> 16), static_cast<uint16_t>(to));
  return sendto(udp, bytes, length, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&name), sizeof name) >= 0;
}

}  // namespace hamsa
