#include "../harness.h"

FUNCTION(void, patches, int, float*, const float*, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t);
FUNCTION(void, add_rows, int, float*, int64_t, const float*, int64_t, const float*, int64_t, int64_t, int64_t);
FUNCTION(void, add_rows_backward, int, float*, const void*, int64_t, int, int64_t, int64_t, int64_t);
FUNCTION(void, l2_normalize, int, float*, float*, const float*, int64_t, int64_t);
FUNCTION(void, l2_normalize_backward, int, float*, const float*, const float*, const float*, int64_t, int64_t);
FUNCTION(int64_t, contrastive_loss, int, float*, const float*, const float*, const float*, const float*, float*, float*, float*,
         float*, int64_t, int64_t, int);

namespace {

void patches(int threads, int64_t images, int64_t side, int64_t patch, int64_t leading) {
  const int64_t grid = side / patch, rows = images * (leading + grid * grid);
  Floats pixels(images * 3 * side * side), out(rows * 3 * patch * patch);
  tilth_patches(threads, out, pixels, images, 3, side, side, patch, leading);
  out.keep();
}

void contrastive(int threads, int64_t pairs, int64_t width) {
  Floats images(pairs * width), texts(pairs * width), dImages(pairs * width), dTexts(pairs * width);
  Floats scale(1), bias(1), results(3);
  overPrecisions([&](int bf16) {
    for (float* offset : {static_cast<float*>(nullptr), bias.data()}) {
      tilth_contrastive_loss(threads, &results[0], images, texts, scale, offset, nullptr, nullptr, nullptr, nullptr, pairs, width,
                             bf16);
      tilth_contrastive_loss(threads, &results[0], images, texts, scale, offset, dImages, dTexts, &results[1],
                             offset ? &results[2] : nullptr, pairs, width, bf16);
      if (bf16) continue;
      for (const Floats* result : {&results, &dImages, &dTexts}) result->keep();
    }
  });
}

}  // namespace

KERNEL(patches) {
  patches(threads, 3, 10, 5, 1);
  patches(threads, 2, 63, 7, 0);
}

KERNEL(add_rows) {
  for (int64_t period : {1, 7, 65})
    overMatrices([=](int64_t rows, int64_t width) {
      Floats x(rows * width), table(period * width), out(span(rows, width, width + 2));
      tilth_add_rows(threads, out, width + 2, x, width, table, rows, width, period);
      tilth_add_rows(threads, x, width, x, width, table, rows, width, period);
      out.keep();
      x.keep();
    });
}

KERNEL(add_rows_backward) {
  overTypes([=](bool bf16) {
    for (int64_t period : {1, 7, 65})
      overMatrices([=](int64_t rows, int64_t width) {
        Numbers gradient(span(rows, width, width + 2), bf16);
        Floats table(period * width);
        tilth_add_rows_backward(threads, table, gradient, width + 2, bf16, rows, width, period);
        if (!bf16) table.keep();
      });
  });
}

KERNEL(l2_normalize) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats x(rows * width), out(rows * width), inverse(rows);
    tilth_l2_normalize(threads, out, inverse, x, rows, width);
    out.keep();
  });
}

KERNEL(l2_normalize_backward) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats gradient(rows * width), out(rows * width), inverse(rows), dx(rows * width);
    tilth_l2_normalize_backward(threads, dx, gradient, out, inverse, rows, width);
    dx.keep();
  });
}

KERNEL(contrastive_loss) {
  for (int64_t pairs : {1, 7, 65, 129}) contrastive(threads, pairs, 17);
  contrastive(threads, 2101, 3);
}
