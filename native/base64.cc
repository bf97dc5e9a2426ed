#include "base64.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#define HAMSA_X86 1
#endif

namespace hamsa::base64 {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ByTable(const uint8_t* bytes, size_t length, char* out) {
  size_t i = 0;
  for (; i + 3 <= length; i += 3) {
    const uint32_t group = uint32_t{bytes[i]} << 16 | uint32_t{bytes[i + 1]} << 8 | bytes[i + 2];
    *out++ = kAlphabet[group >> 18];
    *out++ = kAlphabet[group >> 12 & 63];
    *out++ = kAlphabet[group >> 6 & 63];
    *out++ = kAlphabet[group & 63];
  }
  if (i == length) return;
  const bool two = i + 2 == length;
  const uint32_t group = uint32_t{bytes[i]} << 16 | (two ? uint32_t{bytes[i + 1]} << 8 : 0);
  *out++ = kAlphabet[group >> 18];
  *out++ = kAlphabet[group >> 12 & 63];
  *out++ = two ? kAlphabet[group >> 6 & 63] : '=';
  *out++ = '=';
}

#ifdef HAMSA_X86

/*
 * Three bytes abc become a word of four indices. The shuffle makes them the bytes b a c b, so that both halves of a
 * word hold two of the indices, which one multiplication each moves to the low six bits of their bytes.
 *
 * An index becomes its character by adding a number that depends on its range alone: A-Z 65, a-z 71, 0-9 -4, + -19,
 * / -16. The range is the saturated difference to 51 (0 for letters, 1-10 for digits, 11, 12), with 13 for capitals.
 */

__attribute__((target("avx2"))) void ByAvx2(const uint8_t* bytes, size_t length, char* out) {
  const __m256i spread = _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
  const __m256i offsets =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0));
  size_t i = 0;
  // Each half loads 16 bytes and uses 12.
  for (; i + 28 <= length; i += 24, out += 32) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i + 12));
    const __m256i groups = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), spread);
    const __m256i even = _mm256_mulhi_epu16(_mm256_and_si256(groups, _mm256_set1_epi32(0x0fc0fc00)),
                                            _mm256_set1_epi32(0x04000040));
    const __m256i odd = _mm256_mullo_epi16(_mm256_and_si256(groups, _mm256_set1_epi32(0x003f03f0)),
                                           _mm256_set1_epi32(0x01000010));
    const __m256i indices = _mm256_or_si256(even, odd);
    const __m256i capital = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), indices);
    const __m256i range = _mm256_or_si256(_mm256_subs_epu8(indices, _mm256_set1_epi8(51)),
                                          _mm256_and_si256(capital, _mm256_set1_epi8(13)));
    const __m256i characters = _mm256_add_epi8(indices, _mm256_shuffle_epi8(offsets, range));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), characters);
  }
  ByTable(bytes + i, length - i, out);
}

__attribute__((target("ssse3"))) void BySsse3(const uint8_t* bytes, size_t length, char* out) {
  const __m128i spread = _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
  const __m128i offsets = _mm_setr_epi8(71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0);
  size_t i = 0;
  for (; i + 16 <= length; i += 12, out += 16) {
    const __m128i groups = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i)), spread);
    const __m128i even = _mm_mulhi_epu16(_mm_and_si128(groups, _mm_set1_epi32(0x0fc0fc00)), _mm_set1_epi32(0x04000040));
    const __m128i odd = _mm_mullo_epi16(_mm_and_si128(groups, _mm_set1_epi32(0x003f03f0)), _mm_set1_epi32(0x01000010));
    const __m128i indices = _mm_or_si128(even, odd);
    const __m128i capital = _mm_cmpgt_epi8(_mm_set1_epi8(26), indices);
    const __m128i range =
        _mm_or_si128(_mm_subs_epu8(indices, _mm_set1_epi8(51)), _mm_and_si128(capital, _mm_set1_epi8(13)));
    const __m128i characters = _mm_add_epi8(indices, _mm_shuffle_epi8(offsets, range));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), characters);
  }
  ByTable(bytes + i, length - i, out);
}

#endif  // HAMSA_X86

Implementation Widest() {
  Implementation implementations[3];
  Available(implementations);
  return implementations[0];
}

const Implementation kWidest = Widest();

}  // namespace

size_t Available(Implementation out[3]) {
  size_t count = 0;
#ifdef HAMSA_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) out[count++] = {"avx2", ByAvx2};
  if (__builtin_cpu_supports("ssse3")) out[count++] = {"ssse3", BySsse3};
#endif
  out[count++] = {"table", ByTable};
  return count;
}

void Encode(const uint8_t* bytes, size_t length, char* out) { kWidest.encode(bytes, length, out); }

}  // namespace hamsa::base64
