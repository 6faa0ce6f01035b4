// The normal distribution, of which GELU is made: GELU(x) = x · Φ(x).
#pragma once
#include "vector.h"

namespace tilth {

inline Vector absolute(Vector x) { return select(x < Vector{}, -x, x); }

// Φ(x), the normal distribution's share below x, within 8e-8 (Abramowitz & Stegun 7.1.26), given e^(−x²/2).
inline Vector normalShare(Vector x, Vector bell) {
  const Vector t = 1.0f / (1.0f + 0.2316418827f * absolute(x));
  Vector p = broadcast(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const Vector tail = 0.5f * p * t * bell;
  return select(x < Vector{}, tail, 1.0f - tail);
}

inline Vector bellOf(Vector x) { return exponential(-0.5f * x * x); }

// The bell over its integral: the density at 0.
constexpr float kBellAtZero = 0.3989422804f;

}  // namespace tilth
