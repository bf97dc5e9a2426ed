// Times this library's G.711 against spandsp's, 160 samples a call, and prints one JSON object of nanoseconds per call.
// Built and run by bench/micro/g711.ts, which is where the figures are compared.
#include "../g711.h"

#include <spandsp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>

using hamsa::g711::Law;

namespace {

constexpr int kSamples = 160;
constexpr int kCalls = 50'000;
constexpr int kRounds = 15;

int16_t pcm[kSamples];
uint8_t codes[kSamples];

/** Mean time of a call in the fastest round: whatever else the machine does can only add to it. */
template <typename Call>
double NanosecondsPerCall(Call call) {
  double fastest = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kRounds; round++) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; i++) {
      call();
      // The compiler must assume that every call's result is read.
      asm volatile("" ::: "memory");
    }
    const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
    fastest = std::min(fastest, elapsed.count() / kCalls);
  }
  return fastest;
}

}  // namespace

int main() {
  for (int i = 0; i < kSamples; i++) pcm[i] = static_cast<int16_t>((i * 7919) % 65536 - 32768);
  hamsa::g711::Implementation implementations[3];
  hamsa::g711::Available(implementations);
  std::printf("{\"implementation\":\"%s\"", implementations[0].name);
  for (const Law law : {Law::kUlaw, Law::kAlaw}) {
    const char* name = law == Law::kUlaw ? "ulaw" : "alaw";
    g711_state_t* peer = g711_init(nullptr, law == Law::kUlaw ? G711_ULAW : G711_ALAW);
    const double encode = NanosecondsPerCall([law] { hamsa::g711::Encode(law, pcm, kSamples, codes); });
    const double peerEncode = NanosecondsPerCall([peer] { g711_encode(peer, codes, pcm, kSamples); });
    const double decode = NanosecondsPerCall([law] { hamsa::g711::Decode(law, codes, kSamples, pcm); });
    const double peerDecode = NanosecondsPerCall([peer] { g711_decode(peer, pcm, codes, kSamples); });
    std::printf(",\"%s\":{\"encode\":%.2f,\"spandspEncode\":%.2f,\"decode\":%.2f,\"spandspDecode\":%.2f}", name, encode,
                peerEncode, decode, peerDecode);
    g711_free(peer);
  }
  std::printf("}\n");
}
