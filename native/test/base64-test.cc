#include "../base64.h"

#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "check.h"

using hamsa::base64::EncodedLength;
using hamsa::base64::Implementation;

namespace {

/** The definition, one bit string at a time. */
std::string Expected(const uint8_t* bytes, size_t length) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t bit = 0; bit < length * 8; bit += 6) {
    int index = 0;
    for (size_t b = bit; b < bit + 6; b++) {
      const bool set = b / 8 < length && (bytes[b / 8] >> (7 - b % 8) & 1) != 0;
      index = index * 2 + (set ? 1 : 0);
    }
    text += alphabet[index];
  }
  while (text.size() % 4 != 0) text += '=';
  return text;
}

std::string Encoded(const Implementation& implementation, const uint8_t* bytes, size_t length) {
  // Blocks of exactly the right size: the address sanitizer sees a read or write beyond either end.
  std::unique_ptr<uint8_t[]> in(new uint8_t[length]);
  std::unique_ptr<char[]> out(new char[EncodedLength(length)]);
  if (length > 0) std::memcpy(in.get(), bytes, length);
  implementation.encode(in.get(), length, out.get());
  return {out.get(), EncodedLength(length)};
}

}  // namespace

int main() {
  Implementation implementations[3];
  const size_t count = hamsa::base64::Available(implementations);
  CHECK(count >= 1 && std::string(implementations[count - 1].name) == "table");
  for (size_t n = 0; n < count; n++) {
    const Implementation& implementation = implementations[n];
    Case((std::string(implementation.name) + " gives the vectors of RFC 4648 section 10").c_str());
    const char* vectors[][2] = {{"", ""},         {"f", "Zg=="},     {"fo", "Zm8="},       {"foo", "Zm9v"},
                                {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    for (const auto& vector : vectors) {
      CHECK(Encoded(implementation, reinterpret_cast<const uint8_t*>(vector[0]), std::strlen(vector[0])) == vector[1]);
    }
    Case((std::string(implementation.name) + " agrees with the definition at every length and position").c_str());
    std::mt19937 random(4648);
    uint8_t bytes[400];
    for (size_t length = 0; length <= sizeof bytes; length++) {
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
      CHECK(Encoded(implementation, bytes, length) == Expected(bytes, length));
    }
  }
}
