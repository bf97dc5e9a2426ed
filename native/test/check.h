#pragma once

#include <cstdio>
#include <cstdlib>

/** Ends the test program with the place and the text of the first condition that does not hold. */
#define CHECK(condition)                                                                        \
  do {                                                                                          \
    if (!(condition)) {                                                                         \
      std::fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);             \
      std::exit(1);                                                                             \
    }                                                                                           \
  } while (false)

/** Names what is tested from here on, one line each, so that a hang shows where. */
inline void Case(const char* sentence) {
  std::printf("  %s\n", sentence);
  std::fflush(stdout);
}
