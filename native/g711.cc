#include "g711.h"

#include <array>
#include <cstring>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#define HAMSA_X86 1
#endif

namespace hamsa::g711 {
namespace {

/** µ-law works on 14 bit magnitudes with this bias, which makes each segment start at a power of two. */
constexpr int kUlawBias = 33;
constexpr int kUlawClip = 0x1fff;
/** A-law inverts the even bits so that silence has many transitions on the line. */
constexpr int kAlawToggle = 0x55;

/** Both laws look at the upper 14 bits of a sample at most. */
constexpr size_t kEncodeEntries = 1 << 14;

constexpr int HighestBit(int value) {
  int bit = -1;
  for (; value > 0; value >>= 1) bit++;
  return bit;
}

constexpr uint8_t EncodeUlawSample(int sample) {
  const int magnitude = ((sample < 0 ? ~sample : sample) >> 2) + kUlawBias;
  const int biased = magnitude < kUlawClip ? magnitude : kUlawClip;
  const int segment = HighestBit(biased) - 5;
  const int step = (biased >> (segment + 1)) & 0x0f;
  return static_cast<uint8_t>((sample < 0 ? 0 : 0x80) | (0x7f - ((segment << 4) | step)));
}

constexpr uint8_t EncodeAlawSample(int sample) {
  const int magnitude = (sample < 0 ? ~sample : sample) >> 4;
  const int segment = magnitude < 16 ? 0 : HighestBit(magnitude) - 3;
  const int step = (magnitude >> (segment > 1 ? segment - 1 : 0)) & 0x0f;
  return static_cast<uint8_t>(((sample < 0 ? 0 : 0x80) | (segment << 4) | step) ^ kAlawToggle);
}

constexpr int16_t DecodeUlawCode(int code) {
  const int inverted = ~code & 0x7f;
  const int middle = (2 * (inverted & 0x0f) + kUlawBias) << ((inverted >> 4) + 2);
  const int magnitude = middle - 4 * kUlawBias;
  return static_cast<int16_t>(code < 0x80 ? -magnitude : magnitude);
}

constexpr int16_t DecodeAlawCode(int code) {
  const int bits = code ^ kAlawToggle;
  const int segment = (bits >> 4) & 0x07;
  const int middle = ((bits & 0x0f) << 4) + 8;
  const int magnitude = segment == 0 ? middle : (middle + 0x100) << (segment - 1);
  return static_cast<int16_t>(bits < 0x80 ? -magnitude : magnitude);
}

constexpr std::array<uint8_t, kEncodeEntries> MakeEncodeTable(uint8_t (*encode)(int)) {
  std::array<uint8_t, kEncodeEntries> table{};
  for (int sample = -32768; sample < 32768; sample += 4) table[(sample >> 2) & 0x3fff] = encode(sample);
  return table;
}

constexpr std::array<int16_t, 256> MakeDecodeTable(int16_t (*decode)(int)) {
  std::array<int16_t, 256> table{};
  for (int code = 0; code < 256; code++) table[code] = decode(code);
  return table;
}

constexpr auto kUlawCodes = MakeEncodeTable(EncodeUlawSample);
constexpr auto kAlawCodes = MakeEncodeTable(EncodeAlawSample);
constexpr auto kUlawSamples = MakeDecodeTable(DecodeUlawCode);
constexpr auto kAlawSamples = MakeDecodeTable(DecodeAlawCode);

void EncodeByTable(Law law, const int16_t* pcm, size_t length, uint8_t* codes) {
  const auto& table = law == Law::kUlaw ? kUlawCodes : kAlawCodes;
  for (size_t i = 0; i < length; i++) codes[i] = table[(pcm[i] >> 2) & 0x3fff];
}

void DecodeByTable(Law law, const uint8_t* codes, size_t length, int16_t* pcm) {
  const auto& table = law == Law::kUlaw ? kUlawSamples : kAlawSamples;
  for (size_t i = 0; i < length; i++) pcm[i] = table[codes[i]];
}

#ifdef HAMSA_X86

namespace avx2 {
#define TARGET __attribute__((target("avx2")))
using Vector = __m256i;
constexpr size_t kBytes = sizeof(Vector);
TARGET inline Vector Load(const void* from) { return _mm256_loadu_si256(static_cast<const Vector*>(from)); }
TARGET inline void Store(void* to, Vector a) { _mm256_storeu_si256(static_cast<Vector*>(to), a); }
TARGET inline Vector Zero() { return _mm256_setzero_si256(); }
TARGET inline Vector Fill8(int value) { return _mm256_set1_epi8(static_cast<char>(value)); }
TARGET inline Vector Fill16(int value) { return _mm256_set1_epi16(static_cast<int16_t>(value)); }
template <typename... Bytes>
TARGET inline Vector Table(Bytes... bytes) {
  return _mm256_broadcastsi128_si256(_mm_setr_epi8(static_cast<char>(bytes)...));
}
TARGET inline Vector And(Vector a, Vector b) { return _mm256_and_si256(a, b); }
TARGET inline Vector AndNot(Vector inverted, Vector b) { return _mm256_andnot_si256(inverted, b); }
TARGET inline Vector Or(Vector a, Vector b) { return _mm256_or_si256(a, b); }
TARGET inline Vector Xor(Vector a, Vector b) { return _mm256_xor_si256(a, b); }
TARGET inline Vector Add8(Vector a, Vector b) { return _mm256_add_epi8(a, b); }
TARGET inline Vector AddSaturated16(Vector a, Vector b) { return _mm256_adds_epi16(a, b); }
TARGET inline Vector Subtract16(Vector a, Vector b) { return _mm256_sub_epi16(a, b); }
TARGET inline Vector MaxUnsigned8(Vector a, Vector b) { return _mm256_max_epu8(a, b); }
TARGET inline Vector Sign16(Vector a, Vector b) { return _mm256_sign_epi16(a, b); }
TARGET inline Vector MultiplyLow16(Vector a, Vector b) { return _mm256_mullo_epi16(a, b); }
TARGET inline Vector MultiplyHighUnsigned16(Vector a, Vector b) { return _mm256_mulhi_epu16(a, b); }
TARGET inline Vector Shuffle(Vector table, Vector index) { return _mm256_shuffle_epi8(table, index); }
TARGET inline Vector PackSigned(Vector a, Vector b) { return _mm256_packs_epi16(a, b); }
TARGET inline Vector PackUnsigned(Vector a, Vector b) { return _mm256_packus_epi16(a, b); }
TARGET inline Vector UnpackLow(Vector a, Vector b) { return _mm256_unpacklo_epi8(a, b); }
TARGET inline Vector UnpackHigh(Vector a, Vector b) { return _mm256_unpackhi_epi8(a, b); }
template <int kBits>
TARGET inline Vector ShiftLeft16(Vector a) { return _mm256_slli_epi16(a, kBits); }
template <int kBits>
TARGET inline Vector ShiftRight16(Vector a) { return _mm256_srli_epi16(a, kBits); }
template <int kBits>
TARGET inline Vector ShiftRightSigned16(Vector a) { return _mm256_srai_epi16(a, kBits); }
/** Packing and unpacking work within each half: the middle quarters change places. */
TARGET inline Vector AfterPack(Vector a) { return _mm256_permute4x64_epi64(a, 0xd8); }
TARGET inline Vector BeforeUnpack(Vector a) { return _mm256_permute4x64_epi64(a, 0xd8); }
#include "g711-kernel.h"
#undef TARGET
}  // namespace avx2

namespace sse41 {
#define TARGET __attribute__((target("sse4.1")))
using Vector = __m128i;
constexpr size_t kBytes = sizeof(Vector);
TARGET inline Vector Load(const void* from) { return _mm_loadu_si128(static_cast<const Vector*>(from)); }
TARGET inline void Store(void* to, Vector a) { _mm_storeu_si128(static_cast<Vector*>(to), a); }
TARGET inline Vector Zero() { return _mm_setzero_si128(); }
TARGET inline Vector Fill8(int value) { return _mm_set1_epi8(static_cast<char>(value)); }
TARGET inline Vector Fill16(int value) { return _mm_set1_epi16(static_cast<int16_t>(value)); }
template <typename... Bytes>
TARGET inline Vector Table(Bytes... bytes) {
  return _mm_setr_epi8(static_cast<char>(bytes)...);
}
TARGET inline Vector And(Vector a, Vector b) { return _mm_and_si128(a, b); }
TARGET inline Vector AndNot(Vector inverted, Vector b) { return _mm_andnot_si128(inverted, b); }
TARGET inline Vector Or(Vector a, Vector b) { return _mm_or_si128(a, b); }
TARGET inline Vector Xor(Vector a, Vector b) { return _mm_xor_si128(a, b); }
TARGET inline Vector Add8(Vector a, Vector b) { return _mm_add_epi8(a, b); }
TARGET inline Vector AddSaturated16(Vector a, Vector b) { return _mm_adds_epi16(a, b); }
TARGET inline Vector Subtract16(Vector a, Vector b) { return _mm_sub_epi16(a, b); }
TARGET inline Vector MaxUnsigned8(Vector a, Vector b) { return _mm_max_epu8(a, b); }
TARGET inline Vector Sign16(Vector a, Vector b) { return _mm_sign_epi16(a, b); }
TARGET inline Vector MultiplyLow16(Vector a, Vector b) { return _mm_mullo_epi16(a, b); }
TARGET inline Vector MultiplyHighUnsigned16(Vector a, Vector b) { return _mm_mulhi_epu16(a, b); }
TARGET inline Vector Shuffle(Vector table, Vector index) { return _mm_shuffle_epi8(table, index); }
TARGET inline Vector PackSigned(Vector a, Vector b) { return _mm_packs_epi16(a, b); }
TARGET inline Vector PackUnsigned(Vector a, Vector b) { return _mm_packus_epi16(a, b); }
TARGET inline Vector UnpackLow(Vector a, Vector b) { return _mm_unpacklo_epi8(a, b); }
TARGET inline Vector UnpackHigh(Vector a, Vector b) { return _mm_unpackhi_epi8(a, b); }
template <int kBits>
TARGET inline Vector ShiftLeft16(Vector a) { return _mm_slli_epi16(a, kBits); }
template <int kBits>
TARGET inline Vector ShiftRight16(Vector a) { return _mm_srli_epi16(a, kBits); }
template <int kBits>
TARGET inline Vector ShiftRightSigned16(Vector a) { return _mm_srai_epi16(a, kBits); }
TARGET inline Vector AfterPack(Vector a) { return a; }
TARGET inline Vector BeforeUnpack(Vector a) { return a; }
#include "g711-kernel.h"
#undef TARGET
}  // namespace sse41

#endif  // HAMSA_X86

constexpr Implementation kTable{"table", EncodeByTable, DecodeByTable};

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
  // The processor is asked before any static object of another file may have done so.
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) out[count++] = {"avx2", avx2::Encode, avx2::Decode};
  if (__builtin_cpu_supports("sse4.1")) out[count++] = {"sse4.1", sse41::Encode, sse41::Decode};
#endif
  out[count++] = kTable;
  return count;
}

void Encode(Law law, const int16_t* pcm, size_t length, uint8_t* codes) { kWidest.encode(law, pcm, length, codes); }

void Decode(Law law, const uint8_t* codes, size_t length, int16_t* pcm) { kWidest.decode(law, codes, length, pcm); }

}  // namespace hamsa::g711
