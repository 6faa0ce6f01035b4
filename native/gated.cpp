// Gated units (Shazeer 2020): out = f(gate) · up, f = silu (SwiGLU) or the exact GELU (GeGLU). gateUp [rows, 2·width] holds gate,
// then up; out [rows, width]; all f32 or all bf16.
// Every element is read and written once; the exponential makes it about as much work as memory traffic.
#include <algorithm>

#include "bfloat16.h"
#include "normal.h"
#include "pool.h"

using namespace tilth;

namespace {

// f(gate) and its slope, of which a forward pass uses the first alone.
struct Gate {
  Vector value, slope;
};

struct Silu {
  static Gate of(Vector x) {
    const Vector open = reciprocal(1.0f + exponential(-x));
    return {x * open, open * (1.0f + x * (1.0f - open))};
  }
};

struct Gelu {
  static Gate of(Vector x) {
    const Vector bell = bellOf(x), share = normalShare(x, bell);
    return {x * share, share + x * bell * kBellAtZero};
  }
};

// Calls body(offset, count) for the vectors of a row, the last one possibly partial.
template <typename Body>
void overRow(int64_t width, Body&& body) {
  for (int64_t i = 0; i < width; i += W) body(i, std::min<int64_t>(W, width - i));
}

template <typename Number>
inline Vector loadUpTo(const Number* from, int64_t count) {
  return count == W ? load(from) : loadPart(from, count);
}
template <typename Number>
inline void storeUpTo(Number* to, Vector value, int64_t count) {
  if (count == W)
    store(to, value);
  else
    storePart(to, value, count);
}

int64_t grain(int64_t width) { return std::max<int64_t>(1, 4096 / std::max<int64_t>(1, width)); }

template <typename Function, typename Number>
void activate(int threads, Number* out, const Number* gateUp, int64_t rows, int64_t width) {
  parallelFor(threads, rows, grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const Number* gates = gateUp + 2 * row * width;
      overRow(width, [&](int64_t i, int64_t count) {
        Vector gate = loadUpTo(gates + i, count), up = loadUpTo(gates + width + i, count);
        storeUpTo(out + row * width + i, Function::of(gate).value * up, count);
      });
    }
  });
}

template <typename Function, typename Number>
void differentiate(int threads, Number* gateUpGradient, const Number* gradient, const Number* gateUp, int64_t rows,
                   int64_t width) {
  parallelFor(threads, rows, grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const Number* gates = gateUp + 2 * row * width;
      Number* to = gateUpGradient + 2 * row * width;
      overRow(width, [&](int64_t i, int64_t count) {
        Vector gate = loadUpTo(gates + i, count), up = loadUpTo(gates + width + i, count);
        Vector upstream = loadUpTo(gradient + row * width + i, count);
        const Gate opened = Function::of(gate);
        storeUpTo(to + i, upstream * up * opened.slope, count);
        storeUpTo(to + width + i, upstream * opened.value, count);
      });
    }
  });
}

template <typename Function>
void forward(int threads, void* out, const void* gateUp, int bf16, int64_t rows, int64_t width) {
  Timer timer;
  withNumber(bf16, [&](auto number) {
    using Number = decltype(number);
    activate<Function>(threads, static_cast<Number*>(out), static_cast<const Number*>(gateUp), rows, width);
  });
}

template <typename Function>
void backward(int threads, void* gateUpGradient, const void* gradient, const void* gateUp, int bf16, int64_t rows,
              int64_t width) {
  Timer timer;
  withNumber(bf16, [&](auto number) {
    using Number = decltype(number);
    differentiate<Function>(threads, static_cast<Number*>(gateUpGradient), static_cast<const Number*>(gradient),
                            static_cast<const Number*>(gateUp), rows, width);
  });
}

}  // namespace

TILTH_EXPORT void tilth_swiglu(int threads, void* out, const void* gateUp, int bf16, int64_t rows, int64_t width) {
  forward<Silu>(threads, out, gateUp, bf16, rows, width);
}

TILTH_EXPORT void tilth_swiglu_backward(int threads, void* gateUpGradient, const void* gradient, const void* gateUp, int bf16,
                                        int64_t rows, int64_t width) {
  backward<Silu>(threads, gateUpGradient, gradient, gateUp, bf16, rows, width);
}

TILTH_EXPORT void tilth_geglu(int threads, void* out, const void* gateUp, int bf16, int64_t rows, int64_t width) {
  forward<Gelu>(threads, out, gateUp, bf16, rows, width);
}

TILTH_EXPORT void tilth_geglu_backward(int threads, void* gateUpGradient, const void* gradient, const void* gateUp, int bf16,
                                       int64_t rows, int64_t width) {
  backward<Gelu>(threads, gateUpGradient, gradient, gateUp, bf16, rows, width);
}
