// Fill, copy, add, scale: one pass over memory each, bound by its rate. Sum and norm: one read, f64 partial sums a thread,
// added in thread order, so that the result depends on the number of threads alone.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "pool.h"
#include "vector.h"

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

TILTH_EXPORT void tilth_fill(int threads, float* out, float value, int64_t count) {
  Timer timer;
  parallelFor(threads, count, kGrain, [&](int64_t begin, int64_t end) { std::fill(out + begin, out + end, value); });
}

TILTH_EXPORT void tilth_copy(int threads, float* out, int64_t outStride, const float* from, int64_t fromStride, int64_t rows,
                             int64_t width) {
  Timer timer;
  if (outStride == width && fromStride == width) {
    width *= rows;
    rows = 1;
  }
  if (rows == 1) {
    parallelFor(threads, width, kGrain, [&](int64_t begin, int64_t end) {
      std::memmove(out + begin, from + begin, static_cast<size_t>(end - begin) * 4);
    });
    return;
  }
  parallelFor(threads, rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, width)), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++)
      std::memmove(out + row * outStride, from + row * fromStride, static_cast<size_t>(width) * 4);
  });
}

TILTH_EXPORT void tilth_add(int threads, float* out, const float* a, const float* b, int64_t count) {
  Timer timer;
  parallelFor(threads, count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) out[i] = a[i] + b[i];
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
