#include "../level.h"

#include <memory>
#include <random>

#include "check.h"

int main() {
  Case("the sum of squares is exact at every length");
  std::mt19937 random(1);
  for (size_t length = 0; length <= 200; length++) {
    std::unique_ptr<int16_t[]> pcm(new int16_t[length]);
    uint64_t expected = 0;
    for (size_t i = 0; i < length; i++) {
      pcm[i] = static_cast<int16_t>(random());
      expected += static_cast<uint64_t>(int64_t{pcm[i]} * pcm[i]);
    }
    CHECK(hamsa::SumOfSquares(pcm.get(), length) == expected);
  }
  Case("the most negative sample does not overflow");
  int16_t loudest[64];
  for (int16_t& sample : loudest) sample = -32768;
  CHECK(hamsa::SumOfSquares(loudest, 64) == (uint64_t{1} << 30) * 64);
}
