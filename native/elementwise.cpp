// Fill, copy, add, scale: one pass over memory each, bound by its rate. Sum and norm: one read, f64 partial sums a thread,
// added in thread order, so that the result depends on the number of threads alone.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "bfloat16.h"
#include "pool.h"

namespace {

using namespace tilth;
constexpr int64_t kGrain = 16384;  // floats below which another thread costs more than it saves

// Σ f(x) in f64 over 64-float blocks summed in f32 lanes would lose digits; each lane is widened instead.
template <typename Term>
double reduce(int threads, const float* x, int64_t count, Term&& term) {
  alignas(64) double partial[256 * 8] = {};
  int used = count <= kGrain ? 1 : std::min(threads, 256);
  parallel(used, [&](int thread, const Team& team) {
    Range range = partOf(count, thread, team.threads, 16);
    double lanes[16] = {};
    int64_t i = range.begin;
    for (; i + 16 <= range.end; i += 16)
      for (int l = 0; l < 16; l++) lanes[l] += term(static_cast<double>(x[i + l]));
    for (; i < range.end; i++) lanes[0] += term(static_cast<double>(x[i]));
    double sum = 0;
    for (double lane : lanes) sum += lane;
    partial[thread * 8] = sum;
  });
  double total = 0;
  for (int thread = 0; thread < used; thread++) total += partial[thread * 8];
  return total;
}

}  // namespace

TILTH_EXPORT void tilth_fill(int threads, void* out, int bf16, float value, int64_t count) {
  Timer timer;
  withNumber(bf16, [&](auto number) {
    using Number = decltype(number);
    Number filling;
    storeOne(&filling, value);
    Number* to = static_cast<Number*>(out);
    parallelFor(threads, count, kGrain, [&](int64_t begin, int64_t end) { std::fill(to + begin, to + end, filling); });
  });
}

namespace {

// Rows of `width`; rows that follow each other without gaps are one.
template <typename To, typename From>
void copyRows(int threads, To* out, int64_t outStride, const From* from, int64_t fromStride, int64_t rows, int64_t width) {
  auto copyPart = [](To* to, const From* source, int64_t count) {
    if constexpr (std::is_same_v<To, From>) {
      std::memmove(to, source, static_cast<size_t>(count) * sizeof(To));
    } else {
      int64_t i = 0;
      for (; i + W <= count; i += W) store(to + i, load(source + i));
      if (i < count) storePart(to + i, loadPart(source + i, count - i), count - i);
    }
  };
  if (rows == 1 || (outStride == width && fromStride == width)) {
    parallelFor(threads, width * rows, kGrain, [&](int64_t begin, int64_t end) { copyPart(out + begin, from + begin, end - begin); });
    return;
  }
  parallelFor(threads, rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, width)), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) copyPart(out + row * outStride, from + row * fromStride, width);
  });
}

}  // namespace

// Numbers of the same type are copied bit for bit (i32 as f32), others converted.
TILTH_EXPORT void tilth_copy(int threads, void* out, int64_t outStride, int outBfloat16, const void* from, int64_t fromStride,
                             int fromBfloat16, int64_t rows, int64_t width) {
  Timer timer;
  withNumber(outBfloat16, [&](auto to) {
    withNumber(fromBfloat16, [&](auto source) {
      copyRows(threads, static_cast<decltype(to)*>(out), outStride, static_cast<const decltype(source)*>(from), fromStride, rows,
               width);
    });
  });
}

TILTH_EXPORT void tilth_add(int threads, void* out, int outBfloat16, const void* a, int aBfloat16, const void* b, int bBfloat16,
                            int64_t count) {
  Timer timer;
  withNumber(outBfloat16, [&](auto sum) {
    withNumber(aBfloat16, [&](auto first) {
      withNumber(bBfloat16, [&](auto second) {
        auto* to = static_cast<decltype(sum)*>(out);
        auto* left = static_cast<const decltype(first)*>(a);
        auto* right = static_cast<const decltype(second)*>(b);
        parallelFor(threads, count, kGrain, [&](int64_t begin, int64_t end) {
          int64_t i = begin;
          for (; i + W <= end; i += W) store(to + i, load(left + i) + load(right + i));
          for (; i < end; i++) storeOne(to + i, toFloat(left[i]) + toFloat(right[i]));
        });
      });
    });
  });
}

TILTH_EXPORT void tilth_scale(int threads, float* out, const float* x, float factor, int64_t count) {
  Timer timer;
  parallelFor(threads, count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) out[i] = x[i] * factor;
  });
}

TILTH_EXPORT void tilth_sum(int threads, float* out, const float* x, int64_t count) {
  Timer timer;
  *out = static_cast<float>(reduce(threads, x, count, [](double value) { return value; }));
}

TILTH_EXPORT void tilth_norm(int threads, float* out, const float* x, int64_t count) {
  Timer timer;
  *out = static_cast<float>(std::sqrt(reduce(threads, x, count, [](double value) { return value * value; })));
}
