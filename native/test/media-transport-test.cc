#include "../media-transport.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../monotonic-clock.h"
#include "check.h"
#include "javascript-side.h"

using namespace hamsa;

namespace {

constexpr uint32_t kLoopback = 0x7f000001;

struct Received {
  Endpoint source;
  double arrivalMs;
  bool isRtcp;
  std::vector<uint8_t> bytes;

  uint16_t sequenceNumber() const { return static_cast<uint16_t>(bytes[2] << 8 | bytes[3]); }
  bool marker() const { return (bytes[1] & 0x80) != 0; }
};

/** A transport with what JavaScript would keep beside it. */
struct Rig {
  explicit Rig(bool start = true) : transport(0, [](void* self) { static_cast<Rig*>(self)->wakes++; }, this) {
    if (!start) return;
    CHECK(transport.Start() == 0);
    reader = std::make_unique<PacketReader>(*transport.memory());
  }

  uint32_t Open(uint16_t rtpPort = 0) {
    uint32_t id;
    uint16_t port;
    CHECK(transport.Open(kLoopback, rtpPort, &id, &port) == 0);
    CHECK(port % 2 == 0 && (rtpPort == 0 || port == rtpPort));
    ports[id] = port;
    return id;
  }

  PortMemory* Memory(uint32_t id) const {
    const uint32_t slot = id % kMaxPorts;
    return transport.chunk(slot / kPortsPerChunk).get() + slot % kPortsPerChunk;
  }

  Endpoint At(uint32_t id) const { return Endpoint{kLoopback} << 16 | ports.at(id); }

  void StartSending(uint32_t id, int64_t ptimeMs = 20) {
    Packetization packetization{};
    packetization.ptimeNs = ptimeMs * kNsPerMs;
    packetization.timestampStep = static_cast<uint32_t>(ptimeMs * 8);
    packetization.silenceBytes = 160;
    transport.StartSending(id, {id, 0, 0}, packetization);
  }

  /** Handles what has arrived, as a wake would. */
  void Drain() {
    transport.WakeHandled();
    reader->Drain([this](const PacketRecord& record, const uint8_t* bytes) {
      received[record.portId].push_back({static_cast<Endpoint>(record.source), record.arrivalMs, record.isRtcp != 0,
                                         {bytes, bytes + record.lengthBytes}});
    });
  }

  /** Drains until `done` or for 5 s. */
  void DrainUntil(const std::function<bool()>& done) {
    const int64_t deadlineNs = MonotonicNs() + 5000 * kNsPerMs;
    while (!done()) {
      CHECK(MonotonicNs() < deadlineNs);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      Drain();
    }
  }

  MediaTransport transport;
  std::atomic<int> wakes{0};
  std::unique_ptr<PacketReader> reader;
  std::map<uint32_t, uint16_t> ports;
  std::map<uint32_t, std::vector<Received>> received;
};

/** A plain socket that is neither the transport's nor JavaScript's. */
struct Peer {
  Peer() : udp(socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(kLoopback);
    CHECK(bind(udp, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
    socklen_t length = sizeof name;
    CHECK(getsockname(udp, reinterpret_cast<sockaddr*>(&name), &length) == 0);
    endpoint = Endpoint{kLoopback} << 16 | ntohs(name.sin_port);
  }
  ~Peer() { close(udp); }
  bool Send(Endpoint to, const void* bytes, size_t length) const {
    return SendDatagram(udp, to, static_cast<const uint8_t*>(bytes), length);
  }
  const int udp;
  Endpoint endpoint = 0;
};

size_t OpenFiles() {
  size_t count = 0;
  for (int file = 0; file < 1024; file++) count += fcntl(file, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

void DeliversDatagrams() {
  Case("a datagram comes with its bytes and its source");
  Rig rig;
  const uint32_t id = rig.Open();
  const Peer peer;
  const std::vector<size_t> lengths = {0, 1, 172, 1472, kMaxDatagramBytes};
  for (const size_t length : lengths) {
    std::vector<uint8_t> bytes(length, static_cast<uint8_t>(length + 1));
    CHECK(peer.Send(rig.At(id), bytes.data(), length));
  }
  std::vector<uint8_t> tooLong(kMaxDatagramBytes + 1);
  CHECK(peer.Send(rig.At(id), tooLong.data(), tooLong.size()));
  CHECK(peer.Send(rig.At(id) + 1, "rtcp", 4));
  rig.DrainUntil([&] { return rig.received[id].size() == lengths.size() + 1; });
  rig.DrainUntil([&] { return rig.reader->control()->oversized.load() == 1; });
  size_t rtp = 0;
  for (const Received& packet : rig.received[id]) {
    CHECK(packet.source == peer.endpoint);
    if (packet.isRtcp) {
      CHECK(packet.bytes.size() == 4);
      continue;
    }
    CHECK(packet.bytes == std::vector<uint8_t>(lengths[rtp], static_cast<uint8_t>(lengths[rtp] + 1)));
    rtp++;
  }
  CHECK(rtp == lengths.size() && rig.wakes > 0);
}

void StampsArrivals() {
  Case("arrival is when the kernel had it, not when the thread looked");
  Rig rig;
  const uint32_t id = rig.Open();
  const Peer peer;
  // The kernel starts to stamp packets a little after the first socket has asked for it.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::vector<double> sentMs;
  for (int i = 0; i < 60; i++) {
    std::this_thread::sleep_for(std::chrono::microseconds(1300));
    sentMs.push_back(static_cast<double>(MonotonicNs()) / 1e6);
    CHECK(peer.Send(rig.At(id), "x", 1));
  }
  rig.DrainUntil([&] { return rig.received[id].size() == sentMs.size(); });
  std::vector<double> lateMs;
  for (size_t i = 0; i < sentMs.size(); i++) lateMs.push_back(rig.received[id][i].arrivalMs - sentMs[i]);
  std::sort(lateMs.begin(), lateMs.end());
  CHECK(lateMs.front() > -1 && lateMs[lateMs.size() / 2] < 0.5);
}

void StreamsFrames() {
  Case("frames of many ports leave one per packet time, in order, with silence around them");
  Rig rig;
  const uint32_t sink = rig.Open();
  constexpr int kStreams = 40;
  std::vector<uint32_t> ids;
  std::vector<FrameWriter> writers;
  for (int i = 0; i < kStreams; i++) {
    ids.push_back(rig.Open());
    writers.emplace_back(rig.Memory(ids.back()));
    rig.transport.SetRemote(ids.back(), rig.At(sink), 0);
    for (uint8_t frame = 1; frame <= 10; frame++) {
      const std::vector<uint8_t> payload(160, frame);
      CHECK(writers.back().Write(payload.data(), payload.size(), 0, 160, 0));
    }
    rig.StartSending(ids.back());
  }
  rig.DrainUntil([&] { return rig.received[sink].size() >= kStreams * 14; });
  std::map<Endpoint, std::vector<Received>> bySource;
  for (const Received& packet : rig.received[sink]) bySource[packet.source].push_back(packet);
  std::set<int> phases;
  for (const uint32_t id : ids) {
    const std::vector<Received>& packets = bySource[rig.At(id)];
    CHECK(packets.size() >= 12);
    for (size_t i = 0; i < packets.size(); i++) {
      CHECK(packets[i].sequenceNumber() == i && packets[i].bytes.size() == 172);
      CHECK(packets[i].bytes[12] == (i < 10 ? i + 1 : 0) && packets[i].marker() == (i == 0));
    }
    phases.insert(static_cast<int>(packets[0].arrivalMs) % 20);
    const uint32_t slot = id % kMaxPorts;
    CHECK(rig.reader->control()->ticks[slot] >= 12 && rig.Memory(id)->done == 10);
  }
  // Forty streams over twenty points of the grid; a busy machine may blur a few of them.
  CHECK(phases.size() >= 10);
}

void ClosesAtOnce() {
  Case("a closed port sends nothing more and can be bound again at once");
  Rig rig;
  const size_t filesBefore = OpenFiles();
  const uint32_t sink = rig.Open();
  uint16_t fixed = 0;
  for (int round = 0; round < 300; round++) {
    const uint32_t id = rig.Open(fixed);
    fixed = rig.ports[id];
    rig.transport.SetRemote(id, rig.At(sink), rig.At(sink) + 1);
    rig.StartSending(id, 1);
    CHECK(rig.transport.SendRtcp(id, reinterpret_cast<const uint8_t*>("bye"), 3));
    if (round % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    rig.transport.Close(id);
    rig.transport.Close(id);
    CHECK(!rig.transport.IsOpen(id));
    rig.transport.SetRemote(id, rig.At(sink), 0);
  }
  rig.DrainUntil([&, from = MonotonicNs()] { return MonotonicNs() > from + 30 * kNsPerMs; });
  const size_t settled = rig.received[sink].size();
  rig.DrainUntil([&, from = MonotonicNs()] { return MonotonicNs() > from + 50 * kNsPerMs; });
  CHECK(settled > 300 && rig.received[sink].size() == settled);
  rig.transport.Close(sink);
  rig.DrainUntil([&] { return OpenFiles() == filesBefore; });
}

void RefusesTakenPorts() {
  Case("a pair that is taken, or half taken, is refused");
  Rig rig;
  const uint32_t id = rig.Open();
  uint32_t other;
  uint16_t bound;
  CHECK(rig.transport.Open(kLoopback, rig.ports[id], &other, &bound) == EADDRINUSE);
  CHECK(rig.transport.Open(kLoopback, static_cast<uint16_t>(rig.ports[id] + 1), &other, &bound) == EADDRINUSE);
  CHECK(rig.transport.Open(0x08080808, 0, &other, &bound) == EADDRNOTAVAIL);
}

void WaitsForReader() {
  Case("a full ring leaves packets to the kernel; nothing is lost while its buffers last, and losses are counted");
  Rig rig;
  std::vector<uint32_t> ids;
  for (int i = 0; i < 32; i++) ids.push_back(rig.Open());
  const Peer peer;
  std::vector<uint8_t> bytes(kMaxDatagramBytes);
  uint32_t sent = 0;
  while (rig.reader->control()->ringFull.load() == 0) {
    CHECK(peer.Send(rig.At(ids[sent % ids.size()]), bytes.data(), bytes.size()));
    if (++sent % 64 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (int i = 0; i < 32; i++, sent++) CHECK(peer.Send(rig.At(ids[i]), bytes.data(), bytes.size()));
  size_t received = 0;
  rig.DrainUntil([&] {
    received = 0;
    for (const uint32_t id : ids) received += rig.received[id].size();
    return received == sent;
  });
  CHECK(rig.wakes > 0);

  const uint32_t victim = rig.Open();
  Rig blocked;
  for (int i = 0; i < 20'000; i++) peer.Send(rig.At(victim), bytes.data(), bytes.size());
  rig.DrainUntil([&, from = MonotonicNs()] { return MonotonicNs() > from + 50 * kNsPerMs; });
  CHECK(peer.Send(rig.At(victim), bytes.data(), 1));
  rig.DrainUntil([&] { return !rig.received[victim].empty() && rig.received[victim].back().bytes.size() == 1; });
  CHECK(rig.received[victim].size() + rig.Memory(victim)->receiveDrops.load() == 20'001);
}

void WakesOnce() {
  Case("JavaScript is woken once until it has looked");
  Rig rig;
  const uint32_t id = rig.Open();
  const Peer peer;
  for (int i = 0; i < 20; i++) {
    CHECK(peer.Send(rig.At(id), "x", 1));
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  CHECK(rig.wakes == 1);
  rig.DrainUntil([&] { return rig.received[id].size() == 20; });
  const int wakes = rig.wakes;
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  CHECK(rig.wakes <= wakes + 1);
}

void StopsAnyTime() {
  Case("stops with ports open and streams running, or before it started, and leaves no file open");
  const size_t filesBefore = OpenFiles();
  for (int round = 0; round < 20; round++) {
    Rig rig;
    const uint32_t sink = rig.Open();
    for (int i = 0; i < 10; i++) {
      const uint32_t id = rig.Open();
      rig.transport.SetRemote(id, rig.At(sink), 0);
      rig.StartSending(id, 5);
      if (i % 3 == 0) rig.transport.Close(id);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(round % 4));
    if (round % 2 == 0) rig.transport.Stop();
  }
  { const Rig never(false); }
  CHECK(OpenFiles() == filesBefore);
}

void HearsEveryKick() {
  Case("what is asked of a thread that is about to rest is done at once");
  for (int round = 0; round < 500; round++) {
    Rig rig;
    const uint32_t id = rig.Open();
    const int64_t pauseNs = round % 200 * 500;
    const int64_t fromNs = MonotonicNs();
    while (MonotonicNs() < fromNs + pauseNs) {
    }
    rig.transport.Close(id);
    // The kick that closes the port, or the one that ends the thread right after, must not get lost.
    if (round % 2 == 0) continue;
    rig.transport.SetRemote(id, 0, 0);
    const uint32_t next = rig.Open();
    rig.StartSending(next, 1);
    rig.DrainUntil([&] { return rig.reader->control()->ticks[next % kMaxPorts] > 0; });
  }
}

/** Resident memory in bytes. */
size_t Resident() {
  size_t total = 0;
  size_t resident = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  CHECK(file != nullptr && std::fscanf(file, "%zu %zu", &total, &resident) == 2);
  std::fclose(file);
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void SurvivesGarbage(int packets) {
  Case(("takes " + std::to_string(packets) + " mutated packets without a crash, a loss or growth").c_str());
  Rig rig;
  std::vector<Endpoint> targets;
  for (int i = 0; i < 8; i++) {
    const uint32_t id = rig.Open();
    targets.push_back(rig.At(id));
    targets.push_back(rig.At(id) + 1);
  }
  const Peer peer;
  const uint32_t seed = std::random_device{}();
  std::printf("  seed %u\n", seed);
  std::mt19937 random(seed);
  const uint8_t valid[kMaxDatagramBytes] = {0x80, 0x00};
  uint8_t bytes[kMaxDatagramBytes + 500] = {};
  int sent = 0;
  int handled = 0;
  uint64_t lengths = 0;
  uint64_t expectedLengths = 0;
  size_t warm = 0;
  while (sent < packets) {
    for (int burst = 0; burst < 1000; burst++, sent++) {
      size_t length = 12 + random() % 200;
      std::memcpy(bytes, valid, length);
      for (uint32_t n = random() % 8; n > 0; n--) bytes[random() % 16] ^= static_cast<uint8_t>(random());
      if (random() % 8 == 0) length = random() % sizeof bytes;
      expectedLengths += length <= kMaxDatagramBytes ? length : 0;
      CHECK(peer.Send(targets[random() % targets.size()], bytes, length));
    }
    const int64_t deadlineNs = MonotonicNs() + 5000 * kNsPerMs;
    while (handled + static_cast<int>(rig.reader->control()->oversized.load()) < sent) {
      CHECK(MonotonicNs() < deadlineNs);
      std::this_thread::sleep_for(std::chrono::microseconds(500));
      rig.transport.WakeHandled();
      rig.reader->Drain([&](const PacketRecord& record, const uint8_t*) {
        lengths += record.lengthBytes;
        handled++;
      });
    }
    if (sent >= 50'000 && warm == 0) warm = Resident();
  }
  CHECK(lengths == expectedLengths);
  if (warm != 0) CHECK(Resident() < warm + (size_t{1} << 20));
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1) {
    SurvivesGarbage(std::atoi(arguments[1]));
    return 0;
  }
  DeliversDatagrams();
  StampsArrivals();
  StreamsFrames();
  ClosesAtOnce();
  RefusesTakenPorts();
  WaitsForReader();
  WakesOnce();
  StopsAnyTime();
  HearsEveryKick();
  SurvivesGarbage(100'000);
}
