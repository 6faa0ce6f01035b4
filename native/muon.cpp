// Muon (Jordan et al. 2024): one step of a hidden matrix [rows, width]. Momentum, then five Newton–Schulz iterations that
// push every singular value of the update towards 1, then the step. About 30·rows·width·min(rows, width) FLOPs: bound by
// the matrix products.
#include <algorithm>
#include <cmath>

#include "gemm.h"
#include "pool.h"

using namespace tilth;

namespace {

// Quintic of Jordan et al. 2024: steep at 0, so that five iterations suffice; singular values end within about 0.7–1.2.
constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;
constexpr int kIterations = 5;

}  // namespace

// parameters, gradients, momentum: contiguous [rows, width]. `scale` multiplies the rate of the orthogonalised update.
// Returns −1 without memory for the scratch matrices, else 0.
TILTH_EXPORT int64_t tilth_muon(int threads, float* parameters, const float* gradients, float* momentum,
                                const float* gradientNorm, int64_t rows, int64_t width, double learningRate,
                                double momentumShare, double weightDecay, double scale, double maximumNorm,
                                int precision) {
  Timer timer;
  const Precision number = precisionOf(precision);
  const double norm = *gradientNorm;
  if (!std::isfinite(norm)) return 0;
  const float clip = norm > maximumNorm ? static_cast<float>(maximumNorm / norm) : 1.0f;
  const float share = static_cast<float>(momentumShare), fresh = static_cast<float>(1.0 - momentumShare);
  const int64_t count = rows * width, small = std::min(rows, width), square = small * small;
  // Update, its successor, Gram matrix, polynomial; then one f64 sum of squares a row.
  float* memory = static_cast<float*>(scratch(0, 7, (2 * count + 2 * square) * 4 + (rows + 1) * 8));
  if (!memory) return -1;
  float* update = memory;
  float* next = update + count;
  float* gram = next + count;
  float* polynomial = gram + square;
  double* squares = reinterpret_cast<double*>(memory + (2 * count + 2 * square + 1) / 2 * 2);
  const bool wide = rows <= width;
  parallel(count * small < 100000 ? 1 : threads, [&](int thread, const Team& team) {
    Range mine = partOf(rows, thread, team.threads);
    for (int64_t row = mine.begin; row < mine.end; row++) {
      double sum = 0;
      for (int64_t i = row * width; i < (row + 1) * width; i++) {
        float gradient = gradients[i] * clip;
        momentum[i] = share * momentum[i] + fresh * gradient;
        update[i] = share * momentum[i] + fresh * gradient;  // Nesterov's look ahead
      }
      for (int64_t i = row * width; i < (row + 1) * width; i++) sum += static_cast<double>(update[i]) * update[i];
      squares[row] = sum;
    }
    team.barrier();
    // Every thread adds the rows in their order: the same bits for any number of threads.
    double total = 0;
    for (int64_t row = 0; row < rows; row++) total += squares[row];
    const float inverse = static_cast<float>(1.0 / (std::sqrt(total) + 1e-7));
    for (int64_t i = mine.begin * width; i < mine.end * width; i++) update[i] *= inverse;
    team.barrier();
    float* from = update;
    float* to = next;
    for (int iteration = 0; iteration < kIterations; iteration++) {
      Matrix straight{from, width, 1}, turned{from, 1, width};
      // The Gram matrix on the shorter side; the polynomial commutes with the matrix, so either side gives the same.
      gemmOnTeam(small, small, wide ? width : rows, wide ? straight : turned, wide ? turned : straight, gram, small, false,
                 number, thread, team);
      team.barrier();
      gemmOnTeam(small, small, small, Matrix{gram, small, 1}, Matrix{gram, small, 1}, polynomial, small, false, number,
                 thread, team);
      team.barrier();
      Range part = partOf(small, thread, team.threads);
      for (int64_t row = part.begin; row < part.end; row++) {
        float* line = polynomial + row * small;
        for (int64_t j = 0; j < small; j++) line[j] = kC * line[j] + kB * gram[row * small + j];
        line[row] += kA;
      }
      team.barrier();
      Matrix factor{polynomial, small, 1};
      gemmOnTeam(rows, width, small, wide ? factor : straight, wide ? straight : factor, to, width, false, number, thread,
                 team);
      team.barrier();
      std::swap(from, to);
    }
    const float decay = static_cast<float>(1.0 - learningRate * weightDecay);
    const float rate = static_cast<float>(learningRate * scale);
    for (int64_t i = mine.begin * width; i < mine.end * width; i++) parameters[i] = parameters[i] * decay - rate * from[i];
  });
  return 0;
}
