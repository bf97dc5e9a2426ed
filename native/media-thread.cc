#include "media-thread.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "monotonic-clock.h"
#include "realtime-thread.h"

namespace hamsa {
namespace {

/** How often the sockets are drained and, if there is something to tell, JavaScript is woken; on the grid of deadlines. */
constexpr int64_t kDrainPeriodNs = 5 * kPacingGridNs;
/** The longest that one drain may take; the rest waits for the next round. */
constexpr int64_t kMaxDrainNs = 2 * kNsPerMs;
/** Datagrams that are read between two looks at the clock. */
constexpr int kEventsPerRound = 32;

/** Adds to a counter that the media thread alone writes. */
void Add(std::atomic<uint32_t>& counter, uint32_t amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

}  // namespace

MediaThread::MediaThread(std::shared_ptr<MirroredMemory> memory, int64_t originNs, void (*wake)(void*), void* context)
    : ring_(std::move(memory)),
      originNs_(originNs),
      wake_(wake),
      context_(context),
      streams_(ring_.control(), originNs),
      standby_(&streams_, ring_.control()) {}

MediaThread::~MediaThread() {
  Stop();
  MediaCommandQueue::Delete(pending_);
  if (epoll_ >= 0) close(epoll_);
  if (kick_ >= 0) close(kick_);
}

int MediaThread::Start() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  kick_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_ < 0 || kick_ < 0) return errno;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, kick_, &event) != 0) return errno;

  const int error = StartRealtimeThread(&thread_, "hamsa-media", ProcessorHalf::kFirst, Main, this, &fifo_);
  if (error != 0) return error;
  started_ = true;
  standby_.Start();
  return 0;
}

void MediaThread::Stop() {
  if (!started_) return;
  started_ = false;
  stop_.store(true, std::memory_order_release);
  Kick();
  pthread_join(thread_, nullptr);
  standby_.Stop();
}

int MediaThread::Watch(MediaSocket* socket) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = socket;
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, socket->udp, &event) == 0 ? 0 : errno;
}

void MediaThread::Unwatch(MediaSocket* socket) { epoll_ctl(epoll_, EPOLL_CTL_DEL, socket->udp, nullptr); }

void MediaThread::Submit(const MediaCommand& command) {
  MediaCommandQueue::Delete(executed_.TakeAll());
  commands_.Push(new MediaCommand(command));
  Kick();
}

/** Ends a sleep that has no other end. */
void MediaThread::Kick() {
  const uint64_t one = 1;
  // It fails only when a kick is waiting already.
  if (write(kick_, &one, sizeof one) < 0) return;
}

void MediaThread::TakeKick() {
  if (!kicked_) return;
  kicked_ = false;
  uint64_t kicks;
  if (read(kick_, &kicks, sizeof kicks) < 0) return;
}

void* MediaThread::Main(void* self) {
  static_cast<MediaThread*>(self)->Loop();
  return nullptr;
}

void MediaThread::Loop() {
  PrepareRealtimeThread();
  int64_t nextDrainNs = MonotonicNs();
  for (;;) {
    // Before it looks at what it may have been kicked for: a kick that comes later stays, and ends the next rest.
    TakeKick();
    if (stop_.load(std::memory_order_acquire)) return;
    TakeCommands();
    const int64_t nextSendNs = streams_.Run(0).earliestNs;
    const int64_t nowNs = MonotonicNs();
    if (nowNs >= nextDrainNs) {
      // What does not fit before the next deadline goes on right after it.
      if (Drain(std::min(nextSendNs, nowNs + kMaxDrainNs))) {
        nextDrainNs = (nowNs / kDrainPeriodNs + 1) * kDrainPeriodNs;
      }
      WakeIfNeeded();
    }
    Rest(nextSendNs, nextDrainNs);
  }
}

void MediaThread::Rest(int64_t nextSendNs, int64_t nextDrainNs) {
  SleepUntilNs(std::min(nextSendNs, nextDrainNs));
  if (nextSendNs != kNever || !ring_.Empty() || pending_ != nullptr) return;
  // Nothing to do before a packet or a command comes; either is picked up in the next round.
  epoll_event event;
  epoll_wait(epoll_, &event, 1, -1);
}

/** Carries out commands in their order, up to one for which the standby thread has to finish a packet first. */
void MediaThread::TakeCommands() {
  if (pending_ == nullptr) pending_ = commands_.TakeAll();
  while (pending_ != nullptr && Execute(*pending_)) {
    MediaCommand* const next = pending_->next;
    executed_.Push(pending_);
    pending_ = next;
  }
}

bool MediaThread::Execute(const MediaCommand& command) {
  MediaPort* const port = command.port;
  switch (command.kind) {
    case MediaCommand::Kind::kStart:
      if (!streams_.Start(port, command.start, command.packetization)) return false;
      standby_.Rouse();
      return true;
    case MediaCommand::Kind::kReconfigure:
      return streams_.Reconfigure(port, command.packetization);
    case MediaCommand::Kind::kClose:
      if (!streams_.Stop(port)) return false;
      close(port->rtp.udp);
      close(port->rtcp.udp);
      port->released.store(true, std::memory_order_release);
      return true;
  }
  return true;
}

/** Moves waiting datagrams into the ring, one of each socket in turn. @returns false if it ran out of time first. */
bool MediaThread::Drain(int64_t untilNs) {
  int64_t nowNs = MonotonicNs();
  const int64_t realtimeOffsetNs = RealtimeToMonotonicNs();
  for (;;) {
    epoll_event events[kEventsPerRound];
    const int ready = epoll_wait(epoll_, events, kEventsPerRound, 0);
    bool received = false;
    for (int i = 0; i < ready; i++) {
      MediaSocket* const socket = static_cast<MediaSocket*>(events[i].data.ptr);
      if (socket == nullptr) {
        kicked_ = true;
        continue;
      }
      PacketRecord* const record = ring_.Reserve();
      if (record == nullptr) {
        Add(ring_.control()->ringFull, 1);
        return true;
      }
      received |= ReceiveOne(socket, record, nowNs, realtimeOffsetNs);
    }
    if (!received) return true;
    nowNs = MonotonicNs();
    if (nowNs >= untilNs) return false;
  }
}

bool MediaThread::ReceiveOne(MediaSocket* socket, PacketRecord* record, int64_t nowNs, int64_t realtimeOffsetNs) {
  Datagram datagram;
  const ptrdiff_t length = ReceiveDatagram(socket->udp, PacketRing::Payload(record), kMaxDatagramBytes, &datagram);
  if (length < 0) return false;
  if (datagram.hasDrops && datagram.drops != socket->dropsSeen) {
    Add(socket->port->memory->receiveDrops, datagram.drops - socket->dropsSeen);
    socket->dropsSeen = datagram.drops;
  }
  if (datagram.truncated) {
    Add(ring_.control()->oversized, 1);
    return true;
  }
  int64_t arrivalNs = nowNs;
  if (datagram.arrivalRealtimeNs != 0) {
    // A packet can not have come after it was read, whatever happened to the real-time clock in between.
    arrivalNs = std::min(datagram.arrivalRealtimeNs + realtimeOffsetNs, MonotonicNs());
  }
  record->source = static_cast<double>(datagram.source);
  record->arrivalMs = static_cast<double>(arrivalNs - originNs_) / static_cast<double>(kNsPerMs);
  record->portId = socket->port->id;
  record->lengthBytes = static_cast<uint16_t>(length);
  record->isRtcp = socket->isRtcp ? 1 : 0;
  ring_.Commit(record);
  Add(ring_.control()->received, 1);
  return true;
}

void MediaThread::WakeIfNeeded() {
  if (!streams_.HasTicked() && ring_.Empty()) return;
  if (wakePending_.exchange(true, std::memory_order_seq_cst)) return;
  // What ticks after this has another wake; what has ticked before is seen in this one.
  streams_.ForgetTicks();
  wake_(context_);
}

}  // namespace hamsa
