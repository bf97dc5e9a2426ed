#include "media-thread.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits>

#include "monotonic-clock.h"

namespace hamsa {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

/** How often the sockets are drained and, if there is something to tell, JavaScript is woken. */
constexpr int64_t kDrainPeriodNs = 5 * kNsPerMs;
/** The longest that one drain may take; the rest waits for the next round. */
constexpr int64_t kMaxDrainNs = 2 * kNsPerMs;
/** Deadlines lie on this grid: streams that share a point of it share a wake-up. */
constexpr int64_t kGridNs = kNsPerMs;
/** Streams are spread over this many points of the grid at most. */
constexpr int64_t kMaxPhases = 64;

/** Ahead of ordinary threads is enough; real-time threads of the machine's owner go first. */
constexpr int kFifoPriority = 1;

constexpr int kEventsPerRound = 64;

/** Adds to a counter that the media thread alone writes. */
void Add(std::atomic<uint32_t>& counter, uint32_t amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

/** Creates a thread with SCHED_FIFO. @returns 0, or the number of the system's error. */
int CreateFifoThread(pthread_t* thread, void* (*main)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  sched_param parameter{};
  parameter.sched_priority = kFifoPriority;
  pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
  pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
  pthread_attr_setschedparam(&attributes, &parameter);
  const int error = pthread_create(thread, &attributes, main, argument);
  pthread_attr_destroy(&attributes);
  return error;
}

struct SocketTransmitter final : Transmitter {
  SocketTransmitter(int socket, Endpoint endpoint) : udp(socket), to(endpoint) {}
  bool Transmit(const uint8_t* packet, size_t length) override { return SendDatagram(udp, to, packet, length); }
  const int udp;
  const Endpoint to;
};

}  // namespace

MediaThread::MediaThread(std::shared_ptr<MirroredMemory> memory, int64_t originNs, void (*wake)(void*), void* context)
    : ring_(std::move(memory)), originNs_(originNs), wake_(wake), context_(context) {}

MediaThread::~MediaThread() {
  Stop();
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

  // The new thread inherits this mask: signals are the main thread's.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  fifo_ = CreateFifoThread(&thread_, Main, this) == 0;
  const int error = fifo_ ? 0 : pthread_create(&thread_, nullptr, Main, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  started_ = error == 0;
  return error;
}

void MediaThread::Stop() {
  if (!started_) return;
  started_ = false;
  stop_.store(true, std::memory_order_release);
  Kick();
  pthread_join(thread_, nullptr);
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

void* MediaThread::Main(void* self) {
  static_cast<MediaThread*>(self)->Loop();
  return nullptr;
}

void MediaThread::Loop() {
  pthread_setname_np(pthread_self(), "hamsa-media");
  // Timers of ordinary threads are up to 50 µs late by default; those of real-time threads have no slack.
  prctl(PR_SET_TIMERSLACK, 1);
  int64_t nextDrainNs = MonotonicNs();
  while (!stop_.load(std::memory_order_acquire)) {
    TakeCommands();
    const int64_t nextSendNs = RunSenders(MonotonicNs());
    const int64_t nowNs = MonotonicNs();
    if (nowNs >= nextDrainNs) {
      // What does not fit before the next deadline goes on right after it.
      if (Drain(std::min(nextSendNs, nowNs + kMaxDrainNs))) {
        nextDrainNs += kDrainPeriodNs * ((nowNs - nextDrainNs) / kDrainPeriodNs + 1);
      }
      WakeIfNeeded();
    }
    Rest(nextSendNs, nextDrainNs);
  }
}

void MediaThread::Rest(int64_t nextSendNs, int64_t nextDrainNs) {
  SleepUntilNs(std::min(nextSendNs, nextDrainNs));
  if (nextSendNs != kNever || !ring_.Empty()) return;
  // Nothing to do before a packet or a command comes; either is picked up in the next round.
  epoll_event event;
  epoll_wait(epoll_, &event, 1, -1);
}

void MediaThread::TakeCommands() {
  for (MediaCommand* command = commands_.TakeAll(); command != nullptr;) {
    MediaCommand* const next = command->next;
    Execute(*command);
    executed_.Push(command);
    command = next;
  }
}

void MediaThread::Execute(const MediaCommand& command) {
  MediaPort* const port = command.port;
  switch (command.kind) {
    case MediaCommand::Kind::kStart:
      port->sender.emplace(port->memory, command.start, command.packetization,
                           FirstDeadlineNs(command.packetization.ptimeNs));
      senders_.push_back(port);
      deadlinesNs_.push_back(port->sender->deadlineNs());
      break;
    case MediaCommand::Kind::kReconfigure:
      if (port->sender) port->sender->Reconfigure(command.packetization);
      break;
    case MediaCommand::Kind::kClose:
      Forget(port);
      break;
  }
}

void MediaThread::Forget(MediaPort* port) {
  const auto found = std::find(senders_.begin(), senders_.end(), port);
  if (found != senders_.end()) {
    deadlinesNs_[found - senders_.begin()] = deadlinesNs_.back();
    deadlinesNs_.pop_back();
    *found = senders_.back();
    senders_.pop_back();
  }
  close(port->rtp.udp);
  close(port->rtcp.udp);
  port->released.store(true, std::memory_order_release);
}

/** The point of the grid, within the next `ptimeNs`, at which the fewest streams send. */
int64_t MediaThread::FirstDeadlineNs(int64_t ptimeNs) const {
  const int64_t startNs = (MonotonicNs() / kGridNs + 1) * kGridNs;
  const int64_t phases = std::clamp<int64_t>(ptimeNs / kGridNs, 1, kMaxPhases);
  int load[kMaxPhases] = {};
  for (const int64_t deadlineNs : deadlinesNs_) {
    const int64_t phaseNs = ((deadlineNs - startNs) % ptimeNs + ptimeNs) % ptimeNs;
    load[std::min(phaseNs / kGridNs, phases - 1)]++;
  }
  return startNs + (std::min_element(load, load + phases) - load) * kGridNs;
}

/** @returns the earliest deadline that is left. */
int64_t MediaThread::RunSenders(int64_t nowNs) {
  TransportControl* const control = ring_.control();
  int64_t earliestNs = kNever;
  for (size_t i = 0; i < senders_.size(); i++) {
    if (deadlinesNs_[i] <= nowNs) {
      MediaPort* const port = senders_[i];
      const uint32_t lateUs = static_cast<uint32_t>(std::min<int64_t>((nowNs - deadlinesNs_[i]) / 1000, UINT32_MAX));
      if (lateUs > control->maxLateUs.load(std::memory_order_relaxed)) {
        control->maxLateUs.store(lateUs, std::memory_order_relaxed);
      }
      const Endpoint remote = port->rtpRemote.load(std::memory_order_relaxed);
      SocketTransmitter transmitter(port->rtp.udp, remote);
      const bool connected = remote != 0 && !port->closed.load(std::memory_order_acquire);
      const int64_t skipped = port->sender->Run(nowNs, connected, originNs_, &transmitter);
      if (skipped > 0) Add(control->skippedDeadlines, static_cast<uint32_t>(skipped));
      deadlinesNs_[i] = port->sender->deadlineNs();
      std::atomic<uint32_t>& ticks = control->ticks[port->id % kMaxPorts];
      ticks.store(ticks.load(std::memory_order_relaxed) + 1, std::memory_order_release);
      ticked_ = true;
    }
    earliestNs = std::min(earliestNs, deadlinesNs_[i]);
  }
  return earliestNs;
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
        uint64_t kicks;
        received |= read(kick_, &kicks, sizeof kicks) > 0;
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
  if (!ticked_ && ring_.Empty()) return;
  if (wakePending_.exchange(true, std::memory_order_seq_cst)) return;
  ticked_ = false;
  wake_(context_);
}

}  // namespace hamsa
