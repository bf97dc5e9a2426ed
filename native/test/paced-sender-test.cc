#include "../paced-sender.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "check.h"
#include "javascript-side.h"

using namespace hamsa;

namespace {

constexpr int64_t kPtimeNs = 20'000'000;
constexpr uint32_t kStep = 160;
constexpr uint8_t kSilenceByte = 0xff;

struct Packet {
  bool marker;
  uint8_t payloadType;
  uint16_t sequenceNumber;
  uint32_t timestamp;
  uint32_t ssrc;
  std::vector<uint8_t> payload;
};

struct Wire final : Transmitter {
  bool Transmit(const uint8_t* packet, size_t length) override {
    if (refuse) return false;
    CHECK(length >= 12 && packet[0] == 0x80);
    const auto word = [packet](int at) {
      return uint32_t{packet[at]} << 24 | uint32_t{packet[at + 1]} << 16 | uint32_t{packet[at + 2]} << 8 | packet[at + 3];
    };
    packets.push_back({(packet[1] & 0x80) != 0, static_cast<uint8_t>(packet[1] & 0x7f),
                       static_cast<uint16_t>(word(0)), word(4), word(8), {packet + 12, packet + length}});
    return true;
  }
  bool refuse = false;
  std::vector<Packet> packets;
};

/** A sender at time 0 that is run once per packet time. */
struct Rig {
  Rig() : memory(std::make_unique<PortMemory>()), writer(memory.get()) {
    std::memset(static_cast<void*>(memory.get()), 0, sizeof(PortMemory));
    sender = std::make_unique<PacedSender>(memory.get(), StreamStart{0x11223344, 1000, 65534}, Packets(), 0);
  }

  static Packetization Packets() {
    Packetization packetization{};
    packetization.ptimeNs = kPtimeNs;
    packetization.timestampStep = kStep;
    packetization.silencePayloadType = 0;
    packetization.silenceBytes = 160;
    std::memset(packetization.silence, kSilenceByte, 160);
    return packetization;
  }

  void Run(int count = 1) {
    for (int i = 0; i < count; i++) {
      sender->Run(nowNs, connected, 0, &wire);
      nowNs += kPtimeNs;
    }
  }
  bool Write(uint8_t byte, uint32_t step = kStep, uint8_t flags = 0) {
    const std::vector<uint8_t> payload(160, byte);
    return writer.Write(payload.data(), payload.size(), 8, step, flags);
  }
  const Packet& last() const { return wire.packets.back(); }

  std::unique_ptr<PortMemory> memory;
  FrameWriter writer;
  std::unique_ptr<PacedSender> sender;
  Wire wire;
  int64_t nowNs = 0;
  bool connected = true;
};

/** Only the numbers of frames that left. */
struct Counter final : Transmitter {
  bool Transmit(const uint8_t* packet, size_t length) override {
    if (length != 12 + sizeof(uint32_t)) return true;
    uint32_t number;
    std::memcpy(&number, packet + 12, sizeof number);
    CHECK(number > last);
    last = number;
    sent++;
    return true;
  }
  uint32_t last = 0;
  uint32_t sent = 0;
};

/** Two threads as fast as they can. */
void FlushesExactly() {
  Case("whatever is flushed at whatever moment, a frame either leaves or is dropped");
  Rig rig;
  Counter counter;
  std::atomic<bool> done{false};
  std::thread sending([&] {
    int64_t nowNs = 0;
    while (!done.load() || rig.memory->claimed.load() != rig.memory->head.load()) {
      rig.sender->Run(nowNs += kPtimeNs, true, 0, &counter);
    }
  });
  std::mt19937 random(3550);
  uint32_t written = 0;
  uint32_t dropped = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
  while (std::chrono::steady_clock::now() < end) {
    for (uint32_t n = random() % 4; n > 0; n--) {
      const uint32_t number = written + 1;
      if (rig.writer.Write(&number, sizeof number, 0, kStep, 0)) written++;
    }
    for (volatile uint32_t pause = random() % 50; pause > 0; pause = pause - 1) {
    }
    dropped += rig.writer.Flush();
  }
  done = true;
  sending.join();
  CHECK(counter.sent > 0 && dropped > 0 && counter.sent + dropped == written);
}

}  // namespace

int main() {
  Case("an empty ring sends silence, the first packet with the marker, sequence numbers across 65535");
  {
    Rig rig;
    rig.Run(3);
    CHECK(rig.wire.packets.size() == 3);
    for (uint32_t i = 0; i < 3; i++) {
      const Packet& packet = rig.wire.packets[i];
      CHECK(packet.marker == (i == 0) && packet.payloadType == 0 && packet.ssrc == 0x11223344);
      CHECK(packet.sequenceNumber == static_cast<uint16_t>(65534 + i) && packet.timestamp == 1000 + i * kStep);
      CHECK(packet.payload == std::vector<uint8_t>(160, kSilenceByte));
    }
    CHECK(rig.memory->packetsSent == 3 && rig.memory->octetsSent == 480 && rig.memory->lastTimestamp == 1320);
    CHECK(rig.memory->version == 6);
  }

  Case("queued frames leave in order, the first after silence with the marker, and are reported");
  {
    Rig rig;
    rig.Run(2);
    for (uint8_t i = 0; i < 3; i++) CHECK(rig.Write(i));
    rig.Run(4);
    for (uint32_t i = 0; i < 3; i++) {
      const Packet& packet = rig.wire.packets[2 + i];
      CHECK(packet.marker == (i == 0) && packet.payloadType == 8 && packet.payload[0] == i);
      CHECK(rig.writer.At(i).timestamp == packet.timestamp && rig.writer.At(i).sentAtMs > 0);
    }
    CHECK(!rig.last().marker && rig.last().payload[0] == kSilenceByte);
    CHECK(rig.memory->done == 3 && rig.memory->claimed == 3);
  }

  Case("a flush drops what is queued, and the next frame carries the marker even without silence between");
  {
    Rig rig;
    for (uint8_t i = 0; i < 10; i++) rig.Write(i);
    rig.Run(3);
    CHECK(rig.writer.Flush() == 7 && rig.writer.queued() == 0);
    rig.Write(77);
    rig.Write(78);
    rig.Run();
    CHECK(rig.last().payload[0] == 77 && rig.last().marker);
    rig.Run();
    CHECK(rig.last().payload[0] == 78 && !rig.last().marker);
    CHECK(rig.writer.Flush() == 0);
    rig.Write(79);
    rig.Run();
    CHECK(rig.last().payload[0] == 79 && rig.last().marker);
  }

  Case("the packets of an event share a timestamp, and the stream goes on where real time is");
  {
    Rig rig;
    rig.Run();
    rig.Write(1, 0, kFrameMarker);
    rig.Write(2, 0);
    rig.Write(3, 3 * kStep);
    rig.Write(4);
    rig.Run(4);
    CHECK(rig.wire.packets[1].marker && !rig.wire.packets[2].marker && !rig.wire.packets[3].marker);
    for (int i = 1; i <= 3; i++) CHECK(rig.wire.packets[i].timestamp == 1000 + kStep);
    CHECK(rig.wire.packets[4].timestamp == 1000 + 4 * kStep && !rig.wire.packets[4].marker);
  }

  Case("an event that is flushed or runs dry has taken its time all the same");
  {
    Rig rig;
    rig.Write(1, 0, kFrameMarker);
    rig.Write(2, 0);
    rig.Write(3, 3 * kStep);
    rig.Run(2);
    CHECK(rig.writer.Flush() == 1);
    rig.Run();
    CHECK(rig.last().timestamp == 1000 + 2 * kStep && rig.last().payload[0] == kSilenceByte);
    rig.Write(9, 0, kFrameMarker);
    rig.Run(2);
    CHECK(rig.last().timestamp == 1000 + 4 * kStep);
    rig.Write(1, 0, kFrameMarker);
    rig.Write(2, kStep);
    rig.Run();
    rig.writer.Flush();
    rig.Write(5);
    rig.Run();
    CHECK(rig.last().payload[0] == 5 && rig.last().marker && rig.last().timestamp == 1000 + 6 * kStep);
  }

  Case("a pause keeps the ring; time goes by and the next packet carries the marker");
  {
    Rig rig;
    rig.Run();
    rig.Write(1);
    rig.memory->paused = 1;
    rig.Run(5);
    CHECK(rig.wire.packets.size() == 1 && rig.writer.queued() == 1);
    rig.memory->paused = 0;
    rig.Run();
    CHECK(rig.last().payload[0] == 1 && rig.last().marker && rig.last().timestamp == 1000 + 6 * kStep);
    CHECK(rig.last().sequenceNumber == 65535);
  }

  Case("without a remote it is the same");
  {
    Rig rig;
    rig.connected = false;
    rig.Write(1);
    rig.Run(2);
    CHECK(rig.wire.packets.empty() && rig.writer.queued() == 1);
    rig.connected = true;
    rig.Run();
    CHECK(rig.last().timestamp == 1000 + 2 * kStep);
  }

  Case("after a stall three frames leave at once, skipped time is in the timestamp, and deadlines stay in place");
  {
    Rig rig;
    for (uint8_t i = 0; i < 10; i++) rig.Write(i);
    rig.Run();
    CHECK(rig.sender->Run(10 * kPtimeNs + 7, true, 0, &rig.wire) == 7);
    CHECK(rig.wire.packets.size() == 4 && rig.sender->deadlineNs() == 11 * kPtimeNs);
    CHECK(rig.wire.packets[1].marker && rig.wire.packets[1].payload[0] == 1);
    CHECK(rig.wire.packets[1].timestamp == 1000 + 8 * kStep && !rig.wire.packets[2].marker);
    CHECK(rig.sender->Run(11 * kPtimeNs - 1, true, 0, &rig.wire) == 0 && rig.wire.packets.size() == 4);
  }

  Case("a stall in the middle of an event is made good after it and starts no second event");
  {
    Rig rig;
    rig.Write(1, 0, kFrameMarker);
    rig.Write(2, 0);
    rig.Write(3, 3 * kStep);
    rig.Write(4);
    rig.Run();
    rig.sender->Run(6 * kPtimeNs, true, 0, &rig.wire);
    CHECK(rig.wire.packets.size() == 4);
    CHECK(rig.wire.packets[1].timestamp == 1000 && !rig.wire.packets[1].marker && !rig.wire.packets[2].marker);
    CHECK(rig.wire.packets[3].timestamp == 1000 + 6 * kStep && rig.wire.packets[3].marker);
  }

  Case("a new packetization holds from the next deadline on");
  {
    Rig rig;
    rig.Run();
    Packetization packetization = Rig::Packets();
    packetization.ptimeNs = 30'000'000;
    packetization.timestampStep = 240;
    packetization.silenceBytes = 240;
    packetization.silencePayloadType = 8;
    rig.sender->Reconfigure(packetization);
    CHECK(rig.sender->deadlineNs() == kPtimeNs);
    rig.Run();
    CHECK(rig.last().payloadType == 8 && rig.last().payload.size() == 240);
    CHECK(rig.sender->deadlineNs() == kPtimeNs + 30'000'000);
  }

  Case("a packet that the system refuses is counted and not reported as sent; the stream goes on");
  {
    Rig rig;
    rig.Write(1);
    rig.wire.refuse = true;
    rig.Run();
    CHECK(rig.memory->sendErrors == 1 && rig.memory->packetsSent == 0 && rig.memory->done == 1);
    CHECK(std::isnan(rig.writer.At(0).sentAtMs));
    rig.wire.refuse = false;
    rig.Run();
    CHECK(rig.last().sequenceNumber == 65535 && rig.last().timestamp == 1000 + kStep);
  }

  Case("no more than the capacity is taken, and everything again after a flush");
  {
    Rig rig;
    for (int round = 0; round < 3; round++) {
      for (uint32_t i = 0; i < kCapacityFrames; i++) CHECK(rig.Write(1));
      CHECK(!rig.Write(1) && rig.writer.queued() == kCapacityFrames);
      CHECK(rig.writer.Flush() == kCapacityFrames);
    }
  }

  FlushesExactly();
}
