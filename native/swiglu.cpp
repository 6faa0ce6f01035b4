// SwiGLU (Shazeer 2020): out = silu(gate) · up. gateUp [rows, 2·width] holds gate, then up; out [rows, width].
// Every element is read and written once; the exponential makes it about as much work as memory traffic.
#include <algorithm>

#include "pool.h"
#include "vector.h"

using namespace tilth;

namespace {

inline Vector sigmoid(Vector x) { return 1.0f / (1.0f + exponential(-x)); }

// Calls body(offset, count) for the vectors of a row, the last one possibly partial.
template <typename Body>
void overRow(int64_t width, Body&& body) {
  for (int64_t i = 0; i < width; i += W) body(i, std::min<int64_t>(W, width - i));
}

inline Vector loadUpTo(const float* from, int64_t count) { return count == W ? load(from) : loadPart(from, count); }
inline void storeUpTo(float* to, Vector value, int64_t count) {
  if (count == W)
    store(to, value);
  else
    storePart(to, value, count);
}

int64_t grain(int64_t width) { return std::max<int64_t>(1, 4096 / std::max<int64_t>(1, width)); }

}  // namespace

TILTH_EXPORT void tilth_swiglu(int threads, float* out, const float* gateUp, int64_t rows, int64_t width) {
  Timer timer;
  parallelFor(threads, rows, grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* gates = gateUp + 2 * row * width;
      overRow(width, [&](int64_t i, int64_t count) {
        Vector gate = loadUpTo(gates + i, count), up = loadUpTo(gates + width + i, count);
        storeUpTo(out + row * width + i, gate * sigmoid(gate) * up, count);
      });
    }
  });
}

TILTH_EXPORT void tilth_swiglu_backward(int threads, float* gateUpGradient, const float* gradient, const float* gateUp,
                                        int64_t rows, int64_t width) {
  Timer timer;
  parallelFor(threads, rows, grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* gates = gateUp + 2 * row * width;
      float* to = gateUpGradient + 2 * row * width;
      overRow(width, [&](int64_t i, int64_t count) {
        Vector gate = loadUpTo(gates + i, count), up = loadUpTo(gates + width + i, count);
        Vector upstream = loadUpTo(gradient + row * width + i, count);
        Vector open = sigmoid(gate);
        storeUpTo(to + i, upstream * up * open * (1.0f + gate * (1.0f - open)), count);
        storeUpTo(to + width + i, upstream * gate * open, count);
      });
    }
  });
}
