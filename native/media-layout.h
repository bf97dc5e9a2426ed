#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

/**
 * The memory that the media thread and JavaScript share. `src/rtp/native-layout.ts` has the same numbers; the addon
 * refuses to start a transport for other ones.
 *
 * Every word has one writer at a time, named below, except `PortMemory::claimed`. "Sender" is the media thread or the
 * standby thread, whichever has claimed the stream (`paced-streams.h`). Plain fields are published by an atomic store
 * that follows them and read after an atomic load of the same word. Counters wrap; only their differences mean
 * something.
 */
namespace hamsa {

constexpr size_t kCacheLineBytes = 64;

/** Ports that one transport can have open: each takes two sockets. */
constexpr size_t kMaxPorts = 4096;

/** A datagram longer than this is dropped and counted: no RTP packet is, and a bigger ring would be for nothing. */
constexpr size_t kMaxDatagramBytes = 2048;

/** At 1,000 calls of 50 packets a second, as much as arrives in 0.8 s. A power of two. */
constexpr size_t kPacketRingBytes = size_t{1} << 23;

/** In front of the packet ring. */
struct TransportControl {
  /** Media thread: position in the packet ring behind the last whole record. */
  alignas(kCacheLineBytes) std::atomic<uint32_t> head;
  /** JavaScript: position of the first record that it has not handled. */
  alignas(kCacheLineBytes) std::atomic<uint32_t> tail;

  /** Media thread, all down to `ringFull`. Datagrams put into the ring. */
  alignas(kCacheLineBytes) std::atomic<uint32_t> received;
  /** Datagrams dropped for their length. */
  std::atomic<uint32_t> oversized;
  /** Times that the ring was full and packets were left to the kernel's buffers. */
  std::atomic<uint32_t> ringFull;
  /** Sender, the rest. Packets that were never sent because nobody ran for longer than a stream may catch up with. */
  std::atomic<uint32_t> skippedDeadlines;
  /** The latest that a packet ever was, in microseconds. */
  std::atomic<uint32_t> maxLateUs;
  /** Packets that the standby thread sent because the media thread was late for them. */
  std::atomic<uint32_t> standbySent;

  /** Of each port: deadlines of its stream that have passed. Together, so that looking at all is cheap. */
  alignas(kCacheLineBytes) std::atomic<uint32_t> ticks[kMaxPorts];
};

/** One record of the packet ring: this header, the datagram, padding to a multiple of 8 bytes. */
struct PacketRecord {
  /** `address * 65536 + port` of the sender. */
  double source;
  double arrivalMs;
  uint32_t portId;
  uint16_t lengthBytes;
  /** 1 on the RTCP port of the pair. */
  uint16_t isRtcp;
};

/** Payload of the largest datagram that crosses an Ethernet unfragmented. */
constexpr size_t kMaxPayloadBytes = 1500 - 20 - 8 - 12;
/** A power of two, a few more than `kCapacityFrames`: a frame keeps its place until JavaScript knows that it left. */
constexpr uint32_t kFrameSlots = 64;
constexpr uint32_t kCapacityFrames = 60;

/** JavaScript writes all but the last two fields, before it moves `head` past the frame. */
struct Frame {
  uint16_t payloadBytes;
  uint8_t payloadType;
  uint8_t flags;
  uint32_t timestampStep;
  uint8_t payload[kMaxPayloadBytes];
  /** Sender, before it moves `done` past the frame: NaN when the packet could not be sent. */
  double sentAtMs;
  uint32_t timestamp;
  uint32_t unused;
};

/** `Frame::flags`. */
constexpr uint8_t kFrameMarker = 1;

/**
 * One port: its ring of ready frames and its counters.
 *
 * ```
 *   settled       done     claimed            head        positions; frame n is in slot n % kFrameSlots
 *    | sent, not   | being  | queued           |
 *    | told of yet | sent   |                  |
 * ```
 *
 * The sender claims a frame before it reads it, JavaScript drops all queued ones by moving `claimed` to `head`: one
 * compare-and-exchange each, so that a frame either leaves or is dropped.
 */
struct PortMemory {
  /** JavaScript, the three of this line. */
  alignas(kCacheLineBytes) std::atomic<uint32_t> head;
  /** Where `head` was at the last flush: the frame at this position carries the marker. */
  std::atomic<uint32_t> flushedTo;
  std::atomic<uint32_t> paused;

  /** Both. */
  alignas(kCacheLineBytes) std::atomic<uint32_t> claimed;

  /** Sender, all below but `receiveDrops`. Position behind the last frame that was sent. */
  alignas(kCacheLineBytes) std::atomic<uint32_t> done;
  std::atomic<uint32_t> sendErrors;
  /** Media thread: datagrams that the kernel dropped because the socket's buffer was full. */
  std::atomic<uint32_t> receiveDrops;
  /** Odd while the four numbers that follow change: they are read as a whole or again. */
  std::atomic<uint32_t> version;
  std::atomic<double> lastSentMs;
  std::atomic<double> octetsSent;
  std::atomic<uint32_t> packetsSent;
  std::atomic<uint32_t> lastTimestamp;

  alignas(kCacheLineBytes) Frame frames[kFrameSlots];
};

/** The memory of this many ports is allocated at once and used again, so that JavaScript sees few buffers. */
constexpr size_t kPortsPerChunk = 16;

static_assert(std::atomic<double>::is_always_lock_free && std::atomic<uint32_t>::is_always_lock_free);
static_assert(sizeof(PacketRecord) == 24 && sizeof(Frame) == 1488 && sizeof(PortMemory) == 192 + 64 * 1488);
static_assert(offsetof(TransportControl, received) == 128 && offsetof(TransportControl, ticks) == 192);
static_assert(offsetof(Frame, payload) == 8 && offsetof(Frame, sentAtMs) == 1472 && offsetof(Frame, timestamp) == 1480);
static_assert(offsetof(PortMemory, claimed) == 64 && offsetof(PortMemory, done) == 128);
static_assert(offsetof(PortMemory, lastSentMs) == 144 && offsetof(PortMemory, frames) == 192);

}  // namespace hamsa
