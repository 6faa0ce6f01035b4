#include "../harness.h"

FUNCTION(void, adamw, int, float*, const float*, float*, float*, const float*, int64_t, double, double, double, double, double,
         double, double);
FUNCTION(int64_t, muon, int, float*, const float*, float*, const float*, int64_t, int64_t, double, double, double, double,
         double, int);

KERNEL(adamw) {
  for (int64_t count : kCounts) {
    Floats parameters(count), gradients(count), first(count), second(count), norm(1);
    for (float& moment : second) moment *= moment;
    norm[0] = 2;
    tilth_adamw(threads, parameters, gradients, first, second, norm, count, 0.01, 0.9, 0.95, 1e-8, 0.1, 2, 1);
    for (const Floats* result : {&parameters, &first, &second}) result->keep();
  }
}

KERNEL(muon) {
  overMatrices([=](int64_t rows, int64_t width) {
    const Floats gradients(rows * width), norm(1);
    Floats parameters(rows * width), momentum(rows * width);
    overPrecisions([&](int bf16) {
      tilth_muon(threads, parameters, gradients.data(), momentum, norm.data(), rows, width, 0.1, 0.95, 0.1, 1, 1, bf16);
      if (!bf16) parameters.keep();
    });
  });
}
