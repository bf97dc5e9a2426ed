#include "../mirrored-memory.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <vector>

#include "check.h"

using hamsa::MirroredMemory;

int main() {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));

  Case("a byte is seen at both places, and nowhere else");
  {
    const auto memory = MirroredMemory::Create(1, 3 * page - 10);
    CHECK(memory != nullptr && memory->prefixBytes() == page && memory->sizeBytes() == 3 * page);
    uint8_t* const first = memory->data() + memory->prefixBytes();
    uint8_t* const second = first + memory->sizeBytes();
    for (size_t i = 0; i < memory->sizeBytes(); i++) {
      CHECK(first[i] == 0);
      first[i] = static_cast<uint8_t>(i * 31 + 1);
      CHECK(second[i] == static_cast<uint8_t>(i * 31 + 1));
    }
    second[5] = 0xee;
    CHECK(first[5] == 0xee && memory->data()[5] == 0);
  }

  Case("an owner that goes gives everything back");
  CHECK(MirroredMemory::Live() == 0);

  Case("past the limit it fails and says so, and recovers");
  {
    std::vector<std::shared_ptr<MirroredMemory>> all;
    while (auto memory = MirroredMemory::Create(page, page)) all.push_back(std::move(memory));
    CHECK(errno == ENOMEM && all.size() == MirroredMemory::kMaxLive);
    all.pop_back();
    CHECK(MirroredMemory::Create(page, page) != nullptr);
    CHECK(MirroredMemory::Create(page, page) != nullptr);
  }
  CHECK(MirroredMemory::Live() == 0);

  Case("a size that no machine has fails cleanly");
  CHECK(MirroredMemory::Create(page, SIZE_MAX / 8) == nullptr);
  CHECK(MirroredMemory::Live() == 0);
}
