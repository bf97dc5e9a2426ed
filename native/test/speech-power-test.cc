#include "../speech-power.h"

#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "check.h"

using hamsa::SpeechFilter;
using hamsa::SpeechFilterCoefficients;
using hamsa::SpeechFrame;
using hamsa::SpeechLevels;

int main() {
  std::mt19937 random(1);
  const SpeechFilterCoefficients coefficients[2] = {{0.9, -1.8, 0.8}, {0.95, -1.9, 0.9}};

  Case("many streams at once give what each gives by itself, to the last bit");
  for (size_t count = 0; count <= 11; count++) {
    for (const size_t length : {1, 7, 160, 320}) {
      std::vector<SpeechFilter> together(count), alone(count);
      for (int round = 0; round < 3; round++) {
        std::vector<std::unique_ptr<int16_t[]>> pcm;
        std::vector<SpeechLevels> levels(count), expected(count);
        std::vector<SpeechFrame> frames;
        for (size_t i = 0; i < count; i++) {
          pcm.emplace_back(new int16_t[length]);
          for (size_t sample = 0; sample < length; sample++) pcm[i][sample] = static_cast<int16_t>(random());
          frames.push_back({&together[i], &coefficients[i % 2], pcm[i].get(), &levels[i]});
        }
        hamsa::MeasureSpeech(frames.data(), count, length);
        for (size_t i = 0; i < count; i++) {
          const SpeechFrame frame{&alone[i], &coefficients[i % 2], pcm[i].get(), &expected[i]};
          hamsa::MeasureSpeech(&frame, 1, length);
          CHECK(levels[i].power == expected[i].power && levels[i].treblePower == expected[i].treblePower);
          CHECK(together[i].output1 == alone[i].output1 && together[i].output2 == alone[i].output2);
          CHECK(together[i].input1 == alone[i].input1 && together[i].input2 == alone[i].input2);
        }
      }
    }
  }

  Case("the widest changes do not overflow");
  int16_t widest[160];
  for (int i = 0; i < 160; i++) widest[i] = i % 2 == 0 ? 32767 : -32768;
  SpeechFilter filter{};
  SpeechLevels levels{};
  const SpeechFrame frame{&filter, &coefficients[0], widest, &levels};
  hamsa::MeasureSpeech(&frame, 1, 160);
  CHECK(std::abs(levels.treblePower - 159.0 / 160) < 1e-4);
}
