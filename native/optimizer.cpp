// AdamW (Loshchilov & Hutter 2019) with global-norm clipping. All arrays [count], f32: parameters, moments read and written
// once, gradients read once: 28 bytes an element, bound by memory.
#include <cmath>

#include "pool.h"
#include "vector.h"

using namespace tilth;

TILTH_EXPORT void tilth_adamw(int threads, float* parameters, const float* gradients, float* firstMoment, float* secondMoment,
                              const float* gradientNorm, int64_t count, double learningRate, double beta1, double beta2,
                              double epsilon, double weightDecay, double step, double maximumNorm) {
  Timer timer;
  const double norm = *gradientNorm;
  if (!std::isfinite(norm)) return;
  const float clip = norm > maximumNorm ? static_cast<float>(maximumNorm / norm) : 1.0f;
  const float decay = static_cast<float>(1.0 - learningRate * weightDecay);
  const float rate = static_cast<float>(learningRate / (1.0 - std::pow(beta1, step)));
  const float secondCorrection = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(beta2, step)));
  const float b1 = static_cast<float>(beta1), b2 = static_cast<float>(beta2), eps = static_cast<float>(epsilon);
  const float c1 = static_cast<float>(1.0 - beta1), c2 = static_cast<float>(1.0 - beta2);
  parallelFor(threads, count, 16384, [&](int64_t begin, int64_t end) {
    auto step = [&](Vector parameter, Vector gradient, Vector& first, Vector& second) {
      gradient *= clip;
      first = b1 * first + c1 * gradient;
      second = b2 * second + c2 * gradient * gradient;
      return parameter * decay - rate * first / (squareRoot(second) * secondCorrection + eps);
    };
    int64_t i = begin;
    for (; i + W <= end; i += W) {
      Vector first = load(firstMoment + i), second = load(secondMoment + i);
      store(parameters + i, step(load(parameters + i), load(gradients + i), first, second));
      store(firstMoment + i, first);
      store(secondMoment + i, second);
    }
    if (const int64_t rest = end - i; rest > 0) {
      Vector first = loadPart(firstMoment + i, rest), second = loadPart(secondMoment + i, rest);
      storePart(parameters + i, step(loadPart(parameters + i, rest), loadPart(gradients + i, rest), first, second), rest);
      storePart(firstMoment + i, first, rest);
      storePart(secondMoment + i, second, rest);
    }
  });
}
