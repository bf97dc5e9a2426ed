#pragma once

#include <cstddef>
#include <cstdint>

namespace hamsa {

/** Sum of the squares of `length` samples: exact for up to 2^34 of them. */
uint64_t SumOfSquares(const int16_t* pcm, size_t length);

}  // namespace hamsa
