#pragma once

#include <cstddef>
#include <cstdint>

namespace hamsa {

/** The high pass of one stream, as it was after the samples measured last. Zeros at its start. */
struct SpeechFilter {
  double input1;
  double input2;
  double output1;
  double output2;
};

struct SpeechFilterCoefficients {
  double gain;
  double feedback1;
  double feedback2;
};

/** As in `src/audio/speech-power.ts`, where it is explained. */
struct SpeechLevels {
  double power;
  double treblePower;
};

/** The next frame of one stream. */
struct SpeechFrame {
  SpeechFilter* filter;
  const SpeechFilterCoefficients* coefficients;
  const int16_t* pcm;
  SpeechLevels* levels;
};

/**
 * Measures `count` frames of `length` samples each, of as many different streams. The numbers are the twin's to the
 * last bit: four streams are filtered at once where the processor can, each with the same operations in the same order.
 */
void MeasureSpeech(const SpeechFrame* frames, size_t count, size_t length);

}  // namespace hamsa
