#include "mirrored-memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace hamsa {
namespace {

std::atomic<size_t> live{0};

size_t WholePages(size_t bytes) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

bool MapAt(uint8_t* address, size_t bytes, int file, size_t offset) {
  return mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, file,
              static_cast<off_t>(offset)) == address;
}

/** Maps prefix and size, then size again. @returns null on failure, with nothing left mapped. */
uint8_t* MapTwice(int file, size_t prefixBytes, size_t sizeBytes) {
  const size_t total = prefixBytes + 2 * sizeBytes;
  void* const reserved = mmap(nullptr, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (reserved == MAP_FAILED) return nullptr;
  uint8_t* const base = static_cast<uint8_t*>(reserved);
  if (MapAt(base, prefixBytes + sizeBytes, file, 0) &&
      MapAt(base + prefixBytes + sizeBytes, sizeBytes, file, prefixBytes)) {
    return base;
  }
  const int reason = errno;
  munmap(base, total);
  errno = reason;
  return nullptr;
}

}  // namespace

std::shared_ptr<MirroredMemory> MirroredMemory::Create(size_t prefixBytes, size_t sizeBytes) {
  if (live.fetch_add(1, std::memory_order_relaxed) >= kMaxLive) {
    live.fetch_sub(1, std::memory_order_relaxed);
    errno = ENOMEM;
    return nullptr;
  }
  const size_t prefix = WholePages(prefixBytes);
  const size_t size = WholePages(sizeBytes);
  uint8_t* data = nullptr;
  // The file has no name on disk and lives as long as its mappings do.
  const int file = memfd_create("hamsa-ring", MFD_CLOEXEC);
  if (file >= 0) {
    if (ftruncate(file, static_cast<off_t>(prefix + size)) == 0) data = MapTwice(file, prefix, size);
    const int reason = errno;
    close(file);
    errno = reason;
  }
  if (data == nullptr) {
    live.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  return std::shared_ptr<MirroredMemory>(new MirroredMemory(data, prefix, size));
}

size_t MirroredMemory::Live() { return live.load(std::memory_order_relaxed); }

MirroredMemory::MirroredMemory(uint8_t* data, size_t prefixBytes, size_t sizeBytes)
    : data_(data), prefixBytes_(prefixBytes), sizeBytes_(sizeBytes) {}

MirroredMemory::~MirroredMemory() {
  munmap(data_, totalBytes());
  live.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace hamsa
