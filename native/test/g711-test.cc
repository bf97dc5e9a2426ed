#include "../g711.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "check.h"

using hamsa::g711::Implementation;
using hamsa::g711::Law;

namespace {

/** The vectors of the ITU-T G.191 reference; the program runs in the top folder. */
std::vector<uint8_t> Fixture(const std::string& name) {
  std::ifstream file("fixtures/g711/" + name, std::ios::binary);
  CHECK(file.good());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<int16_t> AllSamples() {
  std::vector<int16_t> samples;
  for (int sample = -32768; sample < 32768; sample++) samples.push_back(static_cast<int16_t>(sample));
  return samples;
}

void MatchesReference(const Implementation& implementation, Law law, const std::string& name) {
  const std::vector<uint8_t> expectedCodes = Fixture(name + "-encode.bin");
  const std::vector<uint8_t> expectedBytes = Fixture(name + "-decode.s16le");
  const std::vector<int16_t> samples = AllSamples();
  CHECK(expectedCodes.size() == samples.size() && expectedBytes.size() == 512);

  std::vector<uint8_t> codes(samples.size());
  implementation.encode(law, samples.data(), samples.size(), codes.data());
  CHECK(codes == expectedCodes);

  std::vector<uint8_t> allCodes(256);
  for (int code = 0; code < 256; code++) allCodes[code] = static_cast<uint8_t>(code);
  std::vector<int16_t> decoded(256);
  implementation.decode(law, allCodes.data(), 256, decoded.data());
  CHECK(std::memcmp(decoded.data(), expectedBytes.data(), 512) == 0);
}

/** Heap blocks of exactly the right size: the address sanitizer sees a read or write beyond either end. */
void KeepsWithinBounds(const Implementation& implementation, Law law) {
  const std::vector<int16_t> samples = AllSamples();
  for (size_t length = 0; length <= 130; length++) {
    const size_t from = 32700 - length * 7;
    std::unique_ptr<int16_t[]> pcm(new int16_t[length]);
    std::unique_ptr<uint8_t[]> codes(new uint8_t[length]);
    std::unique_ptr<int16_t[]> decoded(new int16_t[length]);
    std::memcpy(pcm.get(), samples.data() + from, length * sizeof(int16_t));
    implementation.encode(law, pcm.get(), length, codes.get());
    implementation.decode(law, codes.get(), length, decoded.get());
    for (size_t i = 0; i < length; i++) {
      uint8_t code;
      int16_t sample;
      implementation.encode(law, &pcm[i], 1, &code);
      implementation.decode(law, &code, 1, &sample);
      CHECK(codes[i] == code && decoded[i] == sample);
    }
  }
}

}  // namespace

int main() {
  Implementation implementations[3];
  const size_t count = hamsa::g711::Available(implementations);
  CHECK(count >= 1 && std::string(implementations[count - 1].name) == "table");
  for (size_t i = 0; i < count; i++) {
    Case((std::string(implementations[i].name) + " is exact for every sample and code").c_str());
    MatchesReference(implementations[i], Law::kUlaw, "ulaw");
    MatchesReference(implementations[i], Law::kAlaw, "alaw");
    Case((std::string(implementations[i].name) + " keeps within its buffers at every length").c_str());
    KeepsWithinBounds(implementations[i], Law::kUlaw);
    KeepsWithinBounds(implementations[i], Law::kAlaw);
  }
  const Implementation chosen{"chosen", hamsa::g711::Encode, hamsa::g711::Decode};
  Case("the chosen one is exact");
  MatchesReference(chosen, Law::kUlaw, "ulaw");
  MatchesReference(chosen, Law::kAlaw, "alaw");
}
