// Rotary position embedding, half-split pairs (Su et al. 2021). x, out [tokens, width], table [positions, headSize]: cosines
// of the headSize/2 angles, then sines. x and out are f32 or bf16. One pass: bound by memory. Returns the first bad position's token + 1, or 0.
#include <cstring>

#include "bfloat16.h"
#include "pool.h"

using namespace tilth;

namespace {

template <typename Number>
void rotate(int threads, Number* out, int64_t outStride, const Number* x, int64_t xStride, const float* table,
            const int32_t* positions, int64_t tokens, int64_t width, int64_t heads, int64_t headSize, bool inverse) {
  const int64_t half = headSize / 2;
  const float sign = inverse ? -1.0f : 1.0f;
  parallelFor(threads, tokens, 32, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; token++) {
      const float* cosines = table + positions[token] * headSize;
      const float* sines = cosines + half;
      for (int64_t head = 0; head < heads; head++) {
        const Number* from = x + token * xStride + head * headSize;
        Number* to = out + token * outStride + head * headSize;
        int64_t i = 0;
        for (; i + W <= half; i += W) {
          Vector first = load(from + i), second = load(from + half + i);
          Vector cosine = load(cosines + i), sine = load(sines + i) * sign;
          store(to + i, first * cosine - second * sine);
          store(to + half + i, second * cosine + first * sine);
        }
        for (; i < half; i++) {
          float first = toFloat(from[i]), second = toFloat(from[half + i]), sine = sines[i] * sign;
          storeOne(to + i, first * cosines[i] - second * sine);
          storeOne(to + half + i, second * cosines[i] + first * sine);
        }
      }
      const int64_t rest = heads * headSize;
      if (out != x && rest < width)
        std::memmove(out + token * outStride + rest, x + token * xStride + rest,
                     static_cast<size_t>(width - rest) * sizeof(Number));
    }
  });
}

}  // namespace

TILTH_EXPORT int64_t tilth_rope(int threads, void* out, int64_t outStride, const void* x, int64_t xStride, int bf16,
                                const float* table, const int32_t* positions, int64_t tokens, int64_t width, int64_t heads,
                                int64_t headSize, int64_t tablePositions, int inverse) {
  Timer timer;
  for (int64_t token = 0; token < tokens; token++)
    if (positions[token] < 0 || positions[token] >= tablePositions) return token + 1;
  withNumber(bf16, [&](auto number) {
    using Number = decltype(number);
    rotate(threads, static_cast<Number*>(out), outStride, static_cast<const Number*>(x), xStride, table, positions, tokens, width,
           heads, headSize, inverse != 0);
  });
  return 0;
}
