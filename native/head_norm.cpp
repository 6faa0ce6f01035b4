// RMS norm of every head of packed rows, queries and keys with weights of their own (Qwen3; Henry et al. 2020), and its gradient.
// x [tokens, stride ≥ (queryHeads + keyHeads) · headSize], weights [headSize], inverseRms [tokens, queryHeads + keyHeads]; x, out and
// gradients of rows all f32 or all bf16. Further columns are copied. Every element is read and written once: bound by memory.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "bfloat16.h"
#include "pool.h"

using namespace tilth;

namespace {
constexpr int64_t kRows = 8;  // tokens below which a thread is not worth waking

// Σ a · b (· c, if there is one) over a head, in a fixed order.
template <typename A, typename B>
float dot(const A* a, const B* b, const float* c, int64_t count) {
  Vector lanes = {};
  int64_t i = 0;
  for (; i + W <= count; i += W) lanes += load(a + i) * load(b + i) * (c ? load(c + i) : broadcast(1.0f));
  float sum = 0.0f;
  for (; i < count; i++) sum += toFloat(a[i]) * toFloat(b[i]) * (c ? c[i] : 1.0f);
  return sum + sumOf(lanes);
}
}  // namespace

TILTH_EXPORT void tilth_head_norm(int threads, void* out, float* inverseRms, const void* x, int bf16, const float* queryWeight,
                                  const float* keyWeight, int64_t tokens, int64_t width, int64_t queryHeads, int64_t keyHeads,
                                  int64_t headSize, float epsilon) {
  Timer timer;
  const int64_t heads = queryHeads + keyHeads, done = heads * headSize;
  withNumber(bf16, [&](auto number) {
    using Number = decltype(number);
    parallelFor(threads, tokens, kRows, [&](int64_t begin, int64_t end) {
      for (int64_t token = begin; token < end; token++) {
        const Number* row = static_cast<const Number*>(x) + token * width;
        Number* outRow = static_cast<Number*>(out) + token * width;
        for (int64_t head = 0; head < heads; head++) {
          const Number* from = row + head * headSize;
          Number* to = outRow + head * headSize;
          const float* weight = head < queryHeads ? queryWeight : keyWeight;
          const float inverse = 1.0f / std::sqrt(dot(from, from, nullptr, headSize) / static_cast<float>(headSize) + epsilon);
          inverseRms[token * heads + head] = inverse;
          for (int64_t i = 0; i < headSize; i++) storeOne(to + i, toFloat(from[i]) * inverse * weight[i]);
        }
        std::memcpy(outRow + done, row + done, static_cast<size_t>(width - done) * sizeof(Number));
      }
    });
  });
}

// xGradient is overwritten (it may be gradient), the gradients of the weights accumulate.
TILTH_EXPORT void tilth_head_norm_backward(int threads, void* xGradient, float* queryWeightGradient, float* keyWeightGradient,
                                           const void* gradient, const void* x, int bf16, const float* queryWeight,
                                           const float* keyWeight, const float* inverseRms, int64_t tokens, int64_t width,
                                           int64_t queryHeads, int64_t keyHeads, int64_t headSize) {
  Timer timer;
  const int64_t heads = queryHeads + keyHeads, done = heads * headSize;
  parallel(tokens <= kRows ? 1 : threads, [&](int thread, const Team& team) {
    const Range range = partOf(tokens, thread, team.threads);
    float* sums = static_cast<float*>(scratch(thread, 4, 2 * headSize * 4));
    std::fill(sums, sums + 2 * headSize, 0.0f);
    withNumber(bf16, [&](auto number) {
      using Number = decltype(number);
      for (int64_t token = range.begin; token < range.end; token++) {
        const int64_t start = token * width;
        for (int64_t head = 0; head < heads; head++) {
          const Number* g = static_cast<const Number*>(gradient) + start + head * headSize;
          const Number* from = static_cast<const Number*>(x) + start + head * headSize;
          Number* to = static_cast<Number*>(xGradient) + start + head * headSize;
          const float* weight = head < queryHeads ? queryWeight : keyWeight;
          float* sum = head < queryHeads ? sums : sums + headSize;
          const float inverse = inverseRms[token * heads + head];
          const float along = dot(g, from, weight, headSize) * inverse * inverse / static_cast<float>(headSize);
          for (int64_t i = 0; i < headSize; i++) {
            const float upstream = toFloat(g[i]), value = toFloat(from[i]);
            sum[i] += upstream * value * inverse;
            storeOne(to + i, inverse * (upstream * weight[i] - value * along));
          }
        }
        std::memmove(static_cast<Number*>(xGradient) + start + done, static_cast<const Number*>(gradient) + start + done,
                     static_cast<size_t>(width - done) * sizeof(Number));
      }
    });
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
