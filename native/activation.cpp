// Activations of one element: GELU exact and by tanh (Hendrycks & Gimpel 2016), CLIP's quick GELU, tanh; and their gradients.
// x, out [count], all f32 or all bf16. Every element is read and written once; one exponential each makes it about as much work as traffic.
#include <algorithm>
#include <type_traits>

#include "bfloat16.h"
#include "normal.h"
#include "pool.h"

using namespace tilth;

namespace {

enum Kind { kGelu = 0, kGeluTanh = 1, kQuickGelu = 2, kTanh = 3 };

constexpr int64_t kGrain = 4096;  // floats below which another thread costs more than it saves

inline Vector sigmoid(Vector x) { return 1.0f / (1.0f + exponential(-x)); }

constexpr float kRootTwoOverPi = 0.7978845608f;

template <Kind kind>
inline Vector activate(Vector x) {
  if constexpr (kind == kGelu) return x * normalShare(x, bellOf(x));
  // x/2 · (1 + tanh u) is x · sigmoid(2u).
  if constexpr (kind == kGeluTanh) return x * sigmoid(2 * kRootTwoOverPi * (x + 0.044715f * x * x * x));
  if constexpr (kind == kQuickGelu) return x * sigmoid(1.702f * x);
  return 2.0f * sigmoid(2.0f * x) - 1.0f;
}

template <Kind kind>
inline Vector slope(Vector x) {
  if constexpr (kind == kGelu) {
    const Vector bell = bellOf(x);
    return normalShare(x, bell) + x * bell * kBellAtZero;
  }
  if constexpr (kind == kGeluTanh) {
    const Vector open = sigmoid(2 * kRootTwoOverPi * (x + 0.044715f * x * x * x));
    return open + x * open * (1.0f - open) * (2 * kRootTwoOverPi * (1.0f + 3 * 0.044715f * x * x));
  }
  if constexpr (kind == kQuickGelu) {
    const Vector open = sigmoid(1.702f * x);
    return open * (1.0f + 1.702f * x * (1.0f - open));
  }
  const Vector open = sigmoid(2.0f * x);
  return 4.0f * open * (1.0f - open);
}

// Calls body(offset, count) for the vectors of the elements, the last one possibly partial.
template <typename Body>
void overVectors(int threads, int64_t count, Body&& body) {
  parallelFor(threads, count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += W) body(i, std::min<int64_t>(W, end - i));
  });
}

template <typename Number>
Vector loadUpTo(const Number* from, int64_t count) {
  return count == W ? load(from) : loadPart(from, count);
}
template <typename Number>
void storeUpTo(Number* to, Vector value, int64_t count) {
  if (count == W)
    store(to, value);
  else
    storePart(to, value, count);
}

template <Kind kind, typename Number>
void forward(int threads, Number* out, const Number* x, int64_t count) {
  overVectors(threads, count,
              [&](int64_t i, int64_t some) { storeUpTo(out + i, activate<kind>(loadUpTo(x + i, some)), some); });
}

template <Kind kind, typename Number>
void backward(int threads, Number* xGradient, const Number* gradient, const Number* x, int64_t count) {
  overVectors(threads, count, [&](int64_t i, int64_t some) {
    storeUpTo(xGradient + i, loadUpTo(gradient + i, some) * slope<kind>(loadUpTo(x + i, some)), some);
  });
}

// Calls body(kind) with a Kind that is known when compiling.
template <typename Body>
void withKind(int kind, Body&& body) {
  switch (kind) {
    case kGelu: return body(std::integral_constant<Kind, kGelu>{});
    case kGeluTanh: return body(std::integral_constant<Kind, kGeluTanh>{});
    case kQuickGelu: return body(std::integral_constant<Kind, kQuickGelu>{});
    default: return body(std::integral_constant<Kind, kTanh>{});
  }
}

}  // namespace

// out may be x.
TILTH_EXPORT void tilth_activation(int threads, void* out, const void* x, int bf16, int64_t count, int kind) {
  Timer timer;
  withNumber(bf16, [&](auto number) {
    using Number = decltype(number);
    withKind(kind, [&](auto known) {
      forward<known.value>(threads, static_cast<Number*>(out), static_cast<const Number*>(x), count);
    });
  });
}

// xGradient may be gradient.
TILTH_EXPORT void tilth_activation_backward(int threads, void* xGradient, const void* gradient, const void* x, int bf16,
                                            int64_t count, int kind) {
  Timer timer;
  withNumber(bf16, [&](auto number) {
    using Number = decltype(number);
    withKind(kind, [&](auto known) {
      backward<known.value>(threads, static_cast<Number*>(xGradient), static_cast<const Number*>(gradient),
                            static_cast<const Number*>(x), count);
    });
  });
}
