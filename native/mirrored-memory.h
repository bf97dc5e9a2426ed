#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace hamsa {

/**
 * Memory whose last part is there twice, back to back, so that a window that wraps is contiguous.
 *
 * ```
 *  data()      data() + prefix        data() + prefix + size
 *  | prefix    | size bytes           | the same size bytes again |
 * ```
 *
 * Both parts are whole pages, zero at first and present from the start: touching them never faults. Copies of the
 * pointer may be used from any thread; the last owner unmaps.
 */
class MirroredMemory {
 public:
  /**
   * Each takes two of the kernel's mappings (65,530 a process by default), and a garbage collector may return them
   * late: past this many live ones `Create` fails, which leaves the rest of the process what it needs.
   */
  static constexpr size_t kMaxLive = 8192;

  /**
   * `prefixBytes` and `sizeBytes` are rounded up to whole pages.
   *
   * @returns null when memory or mappings are exhausted; `errno` says why.
   */
  static std::shared_ptr<MirroredMemory> Create(size_t prefixBytes, size_t sizeBytes);
  static size_t Live();

  ~MirroredMemory();
  MirroredMemory(const MirroredMemory&) = delete;
  MirroredMemory& operator=(const MirroredMemory&) = delete;

  uint8_t* data() const { return data_; }
  size_t prefixBytes() const { return prefixBytes_; }
  size_t sizeBytes() const { return sizeBytes_; }
  size_t totalBytes() const { return prefixBytes_ + 2 * sizeBytes_; }

 private:
  MirroredMemory(uint8_t* data, size_t prefixBytes, size_t sizeBytes);

  uint8_t* const data_;
  const size_t prefixBytes_;
  const size_t sizeBytes_;
};

}  // namespace hamsa
