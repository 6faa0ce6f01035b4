#include "../harness.h"

FUNCTION(int64_t, head_cross_entropy, int, float*, float*, const void*, int, const float*, const float*, const int32_t*, float*, float*,
         float*, int64_t, int64_t, int64_t, float, float, int, int);

namespace {

void crossEntropy(int threads, int64_t tokens, int64_t width, int64_t vocabulary) {
  Floats losses(tokens), gaps(tokens), weight(vocabulary * width), dx(tokens * width), dw(vocabulary * width);
  Floats bias(vocabulary), db(vocabulary);
  Integers targets(vocabulary, tokens);
  targets[0] = -1;
  overPrecisions([&](int precision) {
    for (int bf16 = 0; bf16 <= precision; bf16++) {
      Numbers x(tokens * width, bf16);
      tilth_head_cross_entropy(threads, losses, gaps, x, bf16, weight, nullptr, targets, nullptr, nullptr, nullptr, tokens, width,
                               vocabulary, 1, 0, 0, precision);
      for (int add : {0, 1})
        tilth_head_cross_entropy(threads, losses, nullptr, x, bf16, weight, add ? bias.data() : nullptr, targets, dx, dw,
                                 add ? db.data() : nullptr, tokens, width, vocabulary, 0.5f, 0.25f * add, add, precision);
      if (precision) continue;
      for (const Floats* result : {&losses, &gaps, &dx, &dw, &db}) result->keep();
    }
  });
}

}  // namespace

KERNEL(head_cross_entropy) {
  crossEntropy(threads, 1, 7, 17);
  crossEntropy(threads, 65, 33, 5003);
  crossEntropy(threads, 129, 17, 2049);
}
