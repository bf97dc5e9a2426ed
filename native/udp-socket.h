#pragma once

#include <cstddef>
#include <cstdint>

namespace hamsa {

/** An IPv4 address and port in one number, `address * 65536 + port`, as in `src/rtp/transport.ts`; 0 is nobody. */
using Endpoint = uint64_t;

/** RTP on an even port, RTCP on the next (RFC 3550 section 11). */
struct SocketPair {
  int rtp = -1;
  int rtcp = -1;
  uint16_t rtpPort = 0;
};

/**
 * Binds a pair of ports for media; `rtpPort` 0 lets the system choose. The sockets never block.
 *
 * @returns 0, or the number of the system's error with nothing left open.
 */
int OpenSocketPair(uint32_t address, uint16_t rtpPort, SocketPair* pair);

/** A socket that can neither send nor receive, to put in the place of others. @returns -1 with `errno`. */
int OpenUnusableSocket();

/**
 * Puts `unusable` in the place of `socket`: the port is free at once, yet its number can not become another socket's
 * while a thread may still use it. The number stays open.
 */
void RetireSocket(int socket, int unusable);

struct Datagram {
  Endpoint source;
  /** Kernel's time of arrival on the real-time clock; 0 if it gave none. */
  int64_t arrivalRealtimeNs;
  /** Datagrams that this socket has lost to a full buffer, as far as this one tells. */
  uint32_t drops;
  bool hasDrops;
  /** Longer than the memory it was read into. */
  bool truncated;
};

/** Reads one datagram. @returns its length, or -1 when there is none. */
ptrdiff_t ReceiveDatagram(int socket, uint8_t* into, size_t capacity, Datagram* datagram);

/** @returns whether the system took the datagram. */
bool SendDatagram(int socket, Endpoint to, const uint8_t* bytes, size_t length);

}  // namespace hamsa
