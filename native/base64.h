#pragma once

#include <cstddef>
#include <cstdint>

/** Base64 with padding (RFC 4648 section 4), into memory that the caller owns. */
namespace hamsa::base64 {

constexpr size_t EncodedLength(size_t bytes) { return (bytes + 2) / 3 * 4; }

/** Writes exactly `EncodedLength(length)` characters to `out`, which must not overlap `bytes`. */
void Encode(const uint8_t* bytes, size_t length, char* out);

/** One way of doing it; the tests compare all that the processor can run. */
struct Implementation {
  const char* name;
  void (*encode)(const uint8_t* bytes, size_t length, char* out);
};

/** Widest first; the last is the table, which is always there. @returns how many were stored in `out`. */
size_t Available(Implementation out[3]);

}  // namespace hamsa::base64
