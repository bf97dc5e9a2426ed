// What the system itself takes for a packet in and out of a call at this moment: a thread that wakes every 5 ms, reads with
// epoll what has come to its sockets, as the media thread does, and sends it back unread. Nothing is paced, decoded or
// counted. Prints the ports of as many sockets as the argument says as a JSON array, and ends with its standard input.
// Built and run by bench/capacity/socket-floor.ts.
#include <sys/epoll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "../monotonic-clock.h"
#include "../realtime-thread.h"
#include "../udp-socket.h"

using namespace hamsa;

namespace {

constexpr int64_t kDrainPeriodNs = 5 * kNsPerMs;
constexpr uint32_t kLoopback = 0x7f000001;
constexpr int kEventsPerRound = 32;

void* Relay(void* epoll) {
  PrepareRealtimeThread();
  uint8_t bytes[2048];
  for (int64_t deadlineNs = MonotonicNs();; deadlineNs += kDrainPeriodNs) {
    SleepUntilNs(deadlineNs);
    epoll_event events[kEventsPerRound];
    int ready;
    while ((ready = epoll_wait(*static_cast<int*>(epoll), events, kEventsPerRound, 0)) > 0) {
      for (int i = 0; i < ready; i++) {
        Datagram datagram;
        const ptrdiff_t length = ReceiveDatagram(events[i].data.fd, bytes, sizeof bytes, &datagram);
        if (length >= 0) SendDatagram(events[i].data.fd, datagram.source, bytes, static_cast<size_t>(length));
      }
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int calls = count > 1 ? std::atoi(arguments[1]) : 1;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int call = 0; call < calls; call++) {
    SocketPair pair;
    if (OpenSocketPair(kLoopback, 0, &pair) != 0) return 1;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = pair.rtp;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, pair.rtp, &event) != 0) return 1;
    std::printf("%c%d", call == 0 ? '[' : ',', pair.rtpPort);
  }
  std::printf("]\n");
  std::fflush(stdout);
  pthread_t thread;
  bool fifo;
  if (StartRealtimeThread(&thread, "socket-floor", ProcessorHalf::kFirst, Relay, &epoll, &fifo) != 0) return 1;
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}
