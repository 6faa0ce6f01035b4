// AdamW (Loshchilov & Hutter 2019) with global-norm clipping. All arrays [count], f32: parameters, moments read and written
// once, gradients read once: 28 bytes an element, bound by memory.
#include <cmath>

#include "pool.h"

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
    for (int64_t i = begin; i < end; i++) {
      float gradient = gradients[i] * clip;
      float first = b1 * firstMoment[i] + c1 * gradient;
      float second = b2 * secondMoment[i] + c2 * gradient * gradient;
      firstMoment[i] = first;
      secondMoment[i] = second;
      parameters[i] = parameters[i] * decay - rate * first / (std::sqrt(second) * secondCorrection + eps);
    }
  });
}
