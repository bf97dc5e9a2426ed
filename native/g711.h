#pragma once

#include <cstddef>
#include <cstdint>

/**
 * G.711 companding, bit exact with the reference code of ITU-T G.191, for whole buffers.
 *
 * The widest implementation that the processor has is chosen once, when the library loads. Input and output must not
 * overlap; neither needs an alignment.
 */
namespace hamsa::g711 {

enum class Law { kUlaw = 0, kAlaw = 1 };

/** Codes `length` samples into `length` bytes. */
void Encode(Law law, const int16_t* pcm, size_t length, uint8_t* codes);

/** Expands `length` bytes into `length` samples. */
void Decode(Law law, const uint8_t* codes, size_t length, int16_t* pcm);

/** One way of doing both; the tests compare all that the processor can run. */
struct Implementation {
  const char* name;
  void (*encode)(Law law, const int16_t* pcm, size_t length, uint8_t* codes);
  void (*decode)(Law law, const uint8_t* codes, size_t length, int16_t* pcm);
};

/** Widest first; the last is the table, which is always there. @returns how many were stored in `out`. */
size_t Available(Implementation out[3]);

}  // namespace hamsa::g711
