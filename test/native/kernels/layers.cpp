#include "../harness.h"

FUNCTION(void, layer_norm, int, void*, int, float*, float*, const float*, const float*, const float*, const void*, int, float*,
         int64_t, int64_t, float);
FUNCTION(void, layer_norm_backward, int, float*, float*, float*, const void*, int, const float*, const float*, const float*,
         const float*, const float*, int64_t, int64_t);
FUNCTION(void, head_norm, int, void*, float*, const void*, int, const float*, const float*, int64_t, int64_t, int64_t, int64_t,
         int64_t, float);
FUNCTION(void, head_norm_backward, int, void*, float*, float*, const void*, const void*, int, const float*, const float*,
         const float*, int64_t, int64_t, int64_t, int64_t, int64_t);
FUNCTION(void, activation, int, void*, const void*, int, int64_t, int);
FUNCTION(void, activation_backward, int, void*, const void*, const void*, int, int64_t, int);
FUNCTION(void, dropout, int, void*, const void*, int, int64_t, int64_t, float, int64_t);
FUNCTION(int64_t, mean_rows, int, float*, const float*, const int32_t*, const int32_t*, int64_t, int64_t, int64_t);
FUNCTION(int64_t, mean_rows_backward, int, float*, const float*, const int32_t*, const int32_t*, int64_t, int64_t, int64_t);

KERNEL(layer_norm) {
  for (int types = 0; types < 4; types++)
    overMatrices([=](int64_t rows, int64_t width) {
      Numbers out(rows * width, types & 1), delta(rows * width, types & 2);
      Floats x(rows * width), weight(width), bias(width), mean(rows), inverse(rows);
      tilth_layer_norm(threads, out, out.bf16, mean, inverse, x, weight, bias, nullptr, 0, nullptr, rows, width, 1e-2f);
      out.keep();
      tilth_layer_norm(threads, out, out.bf16, mean, inverse, x, weight, bias, delta, delta.bf16, x, rows, width, 1e-2f);
      out.keep();
    });
}

KERNEL(layer_norm_backward) {
  overTypes([=](bool bf16) {
    overMatrices([=](int64_t rows, int64_t width) {
      Numbers gradient(rows * width, bf16);
      Floats x(rows * width), out(rows * width), weight(width), mean(rows), inverse(rows);
      Floats weightGradient(width), biasGradient(width);
      for (float* past : {static_cast<float*>(nullptr), out.data()})
        tilth_layer_norm_backward(threads, out, weightGradient, biasGradient, gradient, bf16, x, weight, mean, inverse, past, rows,
                                  width);
      if (!bf16)
        for (const Floats* result : {&out, &weightGradient, &biasGradient}) result->keep();
    });
  });
}

KERNEL(head_norm) {
  overTypes([=](bool bf16) {
    overMatrices([=](int64_t tokens, int64_t size) {
      Numbers x(tokens * 4 * size, bf16), out(tokens * 4 * size, bf16);
      Floats inverse(tokens * 3), query(size), key(size);
      tilth_head_norm(threads, out, inverse, x, bf16, query, key, tokens, 4 * size, 2, 1, size, 1e-5f);
      out.keep();
    });
  });
}

KERNEL(head_norm_backward) {
  overTypes([=](bool bf16) {
    overMatrices([=](int64_t tokens, int64_t size) {
      Numbers x(tokens * 4 * size, bf16), out(tokens * 4 * size, bf16);
      Floats inverse(tokens * 3), query(size), key(size), dq(size), dk(size);
      tilth_head_norm_backward(threads, out, dq, dk, out, x, bf16, query, key, inverse, tokens, 4 * size, 2, 1, size);
      out.keep();
      if (!bf16)
        for (const Floats* result : {&dq, &dk}) result->keep();
    });
  });
}

KERNEL(activation) {
  overTypes([=](bool bf16) {
    for (int64_t count : kCounts)
      for (int kind = 0; kind < 4; kind++) {
        Numbers x(count, bf16), out(count, bf16);
        tilth_activation(threads, out, x, bf16, count, kind);
        out.keep();
      }
  });
}

KERNEL(activation_backward) {
  overTypes([=](bool bf16) {
    for (int64_t count : kCounts)
      for (int kind = 0; kind < 4; kind++) {
        Numbers x(count, bf16), gradient(count, bf16);
        tilth_activation_backward(threads, gradient, gradient, x, bf16, count, kind);
        gradient.keep();
      }
  });
}

KERNEL(dropout) {
  overTypes([=](bool bf16) {
    for (int64_t count : kCounts) {
      Numbers x(count, bf16), out(count, bf16);
      tilth_dropout(threads, out, x, bf16, count, 1 << 22, 1.5f, 77);
      out.keep();
    }
  });
}

KERNEL(mean_rows) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats x(rows * width), out(2 * width);
    const int32_t from[] = {0, 0}, to[] = {static_cast<int32_t>(rows), static_cast<int32_t>(rows / 2)};
    tilth_mean_rows(threads, out, x, from, to, 2, width, rows);
    out.keep();
  });
}

KERNEL(mean_rows_backward) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats x(rows * width), gradient(2 * width);
    const int32_t from[] = {0, 0}, to[] = {static_cast<int32_t>(rows), static_cast<int32_t>(rows / 2)};
    tilth_mean_rows_backward(threads, x, gradient, from, to, 2, width, rows);
    x.keep();
  });
}
