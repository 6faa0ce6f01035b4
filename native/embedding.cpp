// Rows of a table by id, and the sum of gradients by id. table [vocabulary, width], ids i32 [tokens], rows [tokens, width].
// Both read and write every row once: bound by memory. Return the first bad id's position + 1, or 0.
#include <algorithm>
#include <cstring>

#include "pool.h"

namespace {
int64_t firstBad(const int32_t* ids, int64_t tokens, int64_t vocabulary) {
  for (int64_t token = 0; token < tokens; token++)
    if (ids[token] < 0 || ids[token] >= vocabulary) return token + 1;
  return 0;
}
}  // namespace

TILTH_EXPORT int64_t tilth_embedding(int threads, float* out, const float* table, const int32_t* ids, int64_t tokens,
                                     int64_t width, int64_t vocabulary) {
  tilth::Timer timer;
  if (int64_t bad = firstBad(ids, tokens, vocabulary)) return bad;
  tilth::parallelFor(threads, tokens, 64, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; token++)
      std::memcpy(out + token * width, table + ids[token] * width, static_cast<size_t>(width) * 4);
  });
  return 0;
}

// A thread owns a range of columns of the table, so that every sum runs in token order whatever the number of threads.
TILTH_EXPORT int64_t tilth_embedding_backward(int threads, float* tableGradient, const float* gradient, const int32_t* ids,
                                              int64_t tokens, int64_t width, int64_t vocabulary) {
  tilth::Timer timer;
  if (int64_t bad = firstBad(ids, tokens, vocabulary)) return bad;
  tilth::parallelFor(tokens * width < 16384 ? 1 : threads, width, 16, [&](int64_t begin, int64_t end) {
    for (int64_t token = 0; token < tokens; token++) {
      float* to = tableGradient + ids[token] * width;
      const float* from = gradient + token * width;
      for (int64_t i = begin; i < end; i++) to[i] += from[i];
    }
  });
  return 0;
}
