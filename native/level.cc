#include "level.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#define HAMSA_X86 1
#endif

namespace hamsa {
namespace {

uint64_t BySample(const int16_t* pcm, size_t length) {
  uint64_t sum = 0;
  for (size_t i = 0; i < length; i++) sum += static_cast<uint64_t>(int64_t{pcm[i]} * pcm[i]);
  return sum;
}

#ifdef HAMSA_X86
__attribute__((target("avx2"))) uint64_t ByVector(const int16_t* pcm, size_t length) {
  constexpr size_t kSamples = sizeof(__m256i) / sizeof(int16_t);
  const __m256i zero = _mm256_setzero_si256();
  __m256i sums = zero;
  size_t i = 0;
  for (; i + kSamples <= length; i += kSamples) {
    const __m256i samples = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pcm + i));
    // Two squares of -32768 are 2^31: right as an unsigned number, so the pairs are widened with zeros.
    const __m256i pairs = _mm256_madd_epi16(samples, samples);
    sums = _mm256_add_epi64(sums, _mm256_unpacklo_epi32(pairs, zero));
    sums = _mm256_add_epi64(sums, _mm256_unpackhi_epi32(pairs, zero));
  }
  uint64_t lanes[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), sums);
  return lanes[0] + lanes[1] + lanes[2] + lanes[3] + BySample(pcm + i, length - i);
}
#endif

using Function = uint64_t (*)(const int16_t*, size_t);

Function Fastest() {
#ifdef HAMSA_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) return ByVector;
#endif
  return BySample;
}

const Function kFastest = Fastest();

}  // namespace

uint64_t SumOfSquares(const int16_t* pcm, size_t length) { return kFastest(pcm, length); }

}  // namespace hamsa
