// Chosen elements of two vectors: of the first one, then, counted on, of the second. GCC has Clang's builtin from version 12 on.
#pragma once
#include <cstddef>
#include <cstdint>

#if defined(__clang__) || __GNUC__ >= 12
#define TILTH_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
namespace tilth {
template <size_t BYTES>
struct ShuffleMask {
  typedef int32_t Indices __attribute__((vector_size(BYTES)));
};
}  // namespace tilth
#define TILTH_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, tilth::ShuffleMask<sizeof(a)>::Indices{__VA_ARGS__})
#endif
