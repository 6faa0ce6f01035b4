// RMS norm of every head of packed rows, queries and keys with weights of their own (Qwen3; Henry et al. 2020), and its gradient.
// x [tokens, stride ≥ (queryHeads + keyHeads) · headSize], weights [headSize], inverseRms [tokens, queryHeads + keyHeads].
// Further columns are copied. Every element is read and written once: bound by memory.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "pool.h"

using namespace tilth;

namespace {
constexpr int64_t kRows = 8;  // tokens below which a thread is not worth waking

float dot(const float* a, const float* b, int64_t count) {
  float lanes[16] = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (int l = 0; l < 16; l++) lanes[l] += a[i + l] * b[i + l];
  float sum = 0.0f;
  for (; i < count; i++) sum += a[i] * b[i];
  for (float lane : lanes) sum += lane;
  return sum;
}
}  // namespace

TILTH_EXPORT void tilth_head_norm(int threads, float* out, float* inverseRms, const float* x, const float* queryWeight,
                                  const float* keyWeight, int64_t tokens, int64_t width, int64_t queryHeads, int64_t keyHeads,
                                  int64_t headSize, float epsilon) {
  Timer timer;
  const int64_t heads = queryHeads + keyHeads;
  parallelFor(threads, tokens, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; token++) {
      for (int64_t head = 0; head < heads; head++) {
        const float* from = x + token * width + head * headSize;
        float* to = out + token * width + head * headSize;
        const float* weight = head < queryHeads ? queryWeight : keyWeight;
        const float inverse = 1.0f / std::sqrt(dot(from, from, headSize) / static_cast<float>(headSize) + epsilon);
        inverseRms[token * heads + head] = inverse;
        for (int64_t i = 0; i < headSize; i++) to[i] = from[i] * inverse * weight[i];
      }
      const int64_t done = heads * headSize;
      std::memcpy(out + token * width + done, x + token * width + done, static_cast<size_t>(width - done) * 4);
    }
  });
}

// xGradient is overwritten (it may be gradient), the gradients of the weights accumulate.
TILTH_EXPORT void tilth_head_norm_backward(int threads, float* xGradient, float* queryWeightGradient, float* keyWeightGradient,
                                           const float* gradient, const float* x, const float* queryWeight,
                                           const float* keyWeight, const float* inverseRms, int64_t tokens, int64_t width,
                                           int64_t queryHeads, int64_t keyHeads, int64_t headSize) {
  Timer timer;
  const int64_t heads = queryHeads + keyHeads;
  parallel(tokens <= kRows ? 1 : threads, [&](int thread, const Team& team) {
    const Range range = partOf(tokens, thread, team.threads);
    float* sums = static_cast<float*>(scratch(thread, 4, 3 * headSize * 4));
    float* scaled = sums + 2 * headSize;
    std::fill(sums, sums + 2 * headSize, 0.0f);
    for (int64_t token = range.begin; token < range.end; token++) {
      for (int64_t head = 0; head < heads; head++) {
        const int64_t at = token * width + head * headSize;
        const float* weight = head < queryHeads ? queryWeight : keyWeight;
        float* sum = head < queryHeads ? sums : sums + headSize;
        const float inverse = inverseRms[token * heads + head];
        for (int64_t i = 0; i < headSize; i++) {
          sum[i] += gradient[at + i] * x[at + i] * inverse;
          scaled[i] = gradient[at + i] * weight[i];
        }
        const float along = dot(scaled, x + at, headSize) * inverse * inverse / static_cast<float>(headSize);
        for (int64_t i = 0; i < headSize; i++) xGradient[at + i] = inverse * (scaled[i] - x[at + i] * along);
      }
      const int64_t done = heads * headSize;
      std::memmove(xGradient + token * width + done, gradient + token * width + done, static_cast<size_t>(width - done) * 4);
    }
    team.barrier();
    if (thread != 0) return;
    for (int other = 0; other < team.threads; other++) {
      const float* theirs = static_cast<const float*>(scratch(other, 4, 0));
      for (int64_t i = 0; i < headSize; i++) {
        queryWeightGradient[i] += theirs[i];
        keyWeightGradient[i] += theirs[headSize + i];
      }
    }
  });
}
