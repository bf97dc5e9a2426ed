#pragma once

#include <cstdint>

#include "media-layout.h"

namespace hamsa {

struct Packetization {
  int64_t ptimeNs;
  /** RTP ticks that `ptimeNs` lasts. */
  uint32_t timestampStep;
  uint8_t silencePayloadType;
  uint16_t silenceBytes;
  uint8_t silence[kMaxPayloadBytes];
};

struct StreamStart {
  uint32_t ssrc;
  uint32_t timestamp;
  uint16_t sequenceNumber;
};

/** Whoever puts a packet on the wire. */
class Transmitter {
 public:
  /** @returns whether the system took the packet. */
  virtual bool Transmit(const uint8_t* packet, size_t length) = 0;

 protected:
  ~Transmitter() = default;
};

/**
 * The send side of one leg without its socket and timer: decides at each deadline what leaves, and stamps it. The twin
 * is `PacedSender` of `src/rtp/paced-sender.ts`; both follow the same rules.
 *
 * Deadlines are absolute, so lateness never adds up. After a stall a few frames leave at once and the deadlines before
 * them are skipped: the timestamp moves on over them, so that it stays true to real time, and the next packet carries
 * the marker. Queued frames are never dropped.
 */
class PacedSender {
 public:
  PacedSender(PortMemory* memory, const StreamStart& start, const Packetization& packetization, int64_t firstDeadlineNs);

  int64_t deadlineNs() const { return deadlineNs_; }
  int64_t ptimeNs() const { return packetization_.ptimeNs; }

  /** From the next deadline on. */
  void Reconfigure(const Packetization& packetization) { packetization_ = packetization; }

  /**
   * Sends what is due. Without `connected`, or when paused, time goes by and the ring is kept. `originNs` is where the
   * milliseconds that JavaScript sees start.
   *
   * @returns how many deadlines were skipped for lateness.
   */
  int64_t Run(int64_t nowNs, bool connected, int64_t originNs, Transmitter* transmitter);

 private:
  void Skip(int64_t deadlines);
  void SendNext(int64_t originNs, Transmitter* transmitter);
  bool ClaimFrame(uint32_t* position);
  void SendFrame(uint32_t position, int64_t originNs, Transmitter* transmitter);
  void SendSilence(int64_t originNs, Transmitter* transmitter);
  double Send(const uint8_t* payload, size_t payloadBytes, uint8_t payloadType, bool marker, int64_t originNs,
              Transmitter* transmitter);
  void AbandonEvent();

  PortMemory* const memory_;
  const uint32_t ssrc_;
  Packetization packetization_;
  int64_t deadlineNs_;
  uint16_t sequenceNumber_;
  uint32_t timestamp_;
  /** Ticks that went by during the event under way, all packets of which carry the timestamp of its start. */
  uint32_t eventTicks_ = 0;
  /** Ticks that were skipped during the event and are made good after it. */
  uint32_t owedTicks_ = 0;
  /** The next packet, whatever it is, carries the marker: the stream starts or goes on after a break. */
  bool markNext_ = true;
  /** The next queued frame starts a talkspurt. */
  bool talkspurt_ = true;
};

}  // namespace hamsa
