#include "speech-power.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAMSA_X86 1
#endif

namespace hamsa {
namespace {

constexpr double kOverloadPower = 32768.0 * 32768.0;

double TreblePower(const int16_t* pcm, size_t length) {
  // Whole numbers, so that any order of adding them gives the same. A change is of 17 bits, its square of 32.
  int64_t energy = 0;
  for (size_t i = 1; i < length; i++) {
    const int64_t change = int64_t{pcm[i]} - pcm[i - 1];
    energy += change * change;
  }
  return static_cast<double>(energy) / 4 / static_cast<double>(length) / kOverloadPower;
}

void MeasureOne(const SpeechFrame& frame, size_t length) {
  const SpeechFilterCoefficients c = *frame.coefficients;
  SpeechFilter s = *frame.filter;
  double energy = 0;
  for (size_t i = 0; i < length; i++) {
    const double input = frame.pcm[i];
    const double output = c.gain * (input - 2 * s.input1 + s.input2) - c.feedback2 * s.output2 - c.feedback1 * s.output1;
    energy += output * output;
    s = {input, s.input1, output, s.output1};
  }
  *frame.filter = s;
  *frame.levels = {energy / static_cast<double>(length) / kOverloadPower, TreblePower(frame.pcm, length)};
}

void OneByOne(const SpeechFrame* frames, size_t count, size_t length) {
  for (size_t i = 0; i < count; i++) MeasureOne(frames[i], length);
}

#ifdef HAMSA_X86
constexpr size_t kLanes = 4;

__attribute__((target("avx2"))) inline __m256d Gather(double a, double b, double c, double d) {
  return _mm256_setr_pd(a, b, c, d);
}

/** A lane is a stream. Without fused operations, which round once where the twin rounds twice. */
__attribute__((target("avx2"))) void MeasureFour(const SpeechFrame* f, size_t length) {
  const auto lanes = [f](double SpeechFilter::*member) __attribute__((target("avx2"))) {
    return Gather(f[0].filter->*member, f[1].filter->*member, f[2].filter->*member, f[3].filter->*member);
  };
  const auto coefficients = [f](double SpeechFilterCoefficients::*member) __attribute__((target("avx2"))) {
    return Gather(f[0].coefficients->*member, f[1].coefficients->*member, f[2].coefficients->*member,
                  f[3].coefficients->*member);
  };
  const __m256d gain = coefficients(&SpeechFilterCoefficients::gain);
  const __m256d feedback1 = coefficients(&SpeechFilterCoefficients::feedback1);
  const __m256d feedback2 = coefficients(&SpeechFilterCoefficients::feedback2);
  const __m256d two = _mm256_set1_pd(2);
  __m256d input1 = lanes(&SpeechFilter::input1);
  __m256d input2 = lanes(&SpeechFilter::input2);
  __m256d output1 = lanes(&SpeechFilter::output1);
  __m256d output2 = lanes(&SpeechFilter::output2);
  __m256d energy = _mm256_setzero_pd();
  for (size_t i = 0; i < length; i++) {
    const __m256d input = _mm256_cvtepi32_pd(_mm_setr_epi32(f[0].pcm[i], f[1].pcm[i], f[2].pcm[i], f[3].pcm[i]));
    const __m256d forward = _mm256_mul_pd(gain, _mm256_add_pd(_mm256_sub_pd(input, _mm256_mul_pd(two, input1)), input2));
    const __m256d output = _mm256_sub_pd(_mm256_sub_pd(forward, _mm256_mul_pd(feedback2, output2)),
                                         _mm256_mul_pd(feedback1, output1));
    energy = _mm256_add_pd(energy, _mm256_mul_pd(output, output));
    input2 = input1;
    input1 = input;
    output2 = output1;
    output1 = output;
  }
  alignas(__m256d) double state[5][kLanes];
  _mm256_store_pd(state[0], input1);
  _mm256_store_pd(state[1], input2);
  _mm256_store_pd(state[2], output1);
  _mm256_store_pd(state[3], output2);
  _mm256_store_pd(state[4], energy);
  for (size_t lane = 0; lane < kLanes; lane++) {
    *f[lane].filter = {state[0][lane], state[1][lane], state[2][lane], state[3][lane]};
    f[lane].levels->power = state[4][lane] / static_cast<double>(length) / kOverloadPower;
    f[lane].levels->treblePower = TreblePower(f[lane].pcm, length);
  }
}

void FourAtOnce(const SpeechFrame* frames, size_t count, size_t length) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) MeasureFour(frames + i, length);
  OneByOne(frames + i, count - i, length);
}
#endif

using Function = void (*)(const SpeechFrame*, size_t, size_t);

Function Fastest() {
#ifdef HAMSA_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) return FourAtOnce;
#endif
  return OneByOne;
}

const Function kFastest = Fastest();

}  // namespace

void MeasureSpeech(const SpeechFrame* frames, size_t count, size_t length) { kFastest(frames, count, length); }

}  // namespace hamsa
