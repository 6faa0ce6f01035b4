// The gradients of attention, scores recomputed tile by tile (see attention.cpp). queryGradient and its fellows lie as query,
// key and value do. All sums into one gradient happen on one thread, in a fixed order.
// Bound: FMA units; 10·T·D FLOPs a query and head, half of it with the causal mask.
#include "attention_block.h"
#include "gemm.h"

namespace {

using namespace tilth;

template <typename Number>
struct Backward {
  AttentionShape shape;
  AttentionMask mask;
  Rows<const Number> query, key, value, out, gradient;
  const float* logSumExp;
  Rows<Number> queryGradient, keyGradient, valueGradient;
};

struct BackwardScratch {
  float *keysAcross, *keysAlong, *valuesAcross, *keySums, *valueSums;  // of all tiles
  float *querySums, *queriesLeft, *queriesAlong, *gradientsLeft, *gradientsAlong;  // of a block
};

template <typename Number>
float dot(const Number* a, const Number* b, int64_t count) {
  Vector products = {};
  int64_t d = 0;
  for (; d + W <= count; d += W) products += load(a + d) * load(b + d);
  float sum = sumOf(products);
  for (; d < count; d++) sum += toFloat(a[d]) * toFloat(b[d]);
  return sum;
}

// A row of scores becomes probabilities, a row of gradient · value the gradient of the scores; vectors at j.
struct ScoreRow {
  float *scores, *products;
  float logSum, projection;
  Vector probability(int64_t j, float scale) const { return exponential(load(scores + j) * scale - logSum); }
  Vector change(int64_t j, float scale, Vector probability) const {
    return probability * (load(products + j) - projection) * scale;
  }
};

template <typename Tiles, typename Number>
void backwardBlock(const Backward<Number>& one, const BackwardScratch& work, int64_t head, const QueryBlock& block) {
  const AttentionShape& shape = one.shape;
  const int64_t size = shape.headSize, rows = block.rows;
  alignas(64) float scores[BQ * BK];
  alignas(64) float products[BQ * BK];
  alignas(64) float probabilitiesTurned[Tiles::kWeightFloats];
  alignas(64) float changes[Tiles::kWeightFloats];
  alignas(64) float changesTurned[Tiles::kWeightFloats];
  float projections[BQ];
  for (int64_t i = 0; i < rows; i++)
    projections[i] = dot(one.out.at(block.token + i, head * size), one.gradient.at(block.token + i, head * size), size);
  const Number *queries = one.query.at(block.token, head * size), *gradients = one.gradient.at(block.token, head * size);
  Tiles::packLeft(queries, one.query.stride, rows, size, work.queriesLeft);
  Tiles::packAlong(queries, one.query.stride, rows, size, work.queriesAlong);
  Tiles::packLeft(gradients, one.gradient.stride, rows, size, work.gradientsLeft);
  Tiles::packAlong(gradients, one.gradient.stride, rows, size, work.gradientsAlong);
  std::fill(work.querySums, work.querySums + rows * size, 0.0f);
  for (int64_t tile = block.firstTile; tile < block.lastTile; tile++) {
    const int64_t count = block.keysSeen(tile), keys = std::min(count, shape.keysOf(tile));
    const int64_t across = tile * Tiles::acrossFloats(size), plane = tile * BK * size;
    Tiles::timesAcross(rows, count, size, work.queriesLeft, work.keysAcross + across, scores);
    Tiles::timesAcross(rows, count, size, work.gradientsLeft, work.valuesAcross + across, products);
    auto row = [&](int64_t i) {
      const Range inside = block.inTile(i, tile);
      if (inside.begin > 0 || inside.end < count) hideOutside(scores + i * BK, inside, count);
      return ScoreRow{scores + i * BK, products + i * BK, one.logSumExp[head * shape.tokens() + block.token + i], projections[i]};
    };
    // Two rows at a time, since sums over queries take them in pairs; an odd last one has a partner of zeros.
    for (int64_t i = 0; i < rows; i += 2) {
      const bool both = i + 1 < rows;
      const ScoreRow even = row(i), odd = both ? row(i + 1) : even;
      for (int64_t j = 0; j < count; j += W) {
        const Vector first = even.probability(j, shape.scale), second = both ? odd.probability(j, shape.scale) : Vector{};
        const Vector firstChange = even.change(j, shape.scale, first);
        const Vector secondChange = both ? odd.change(j, shape.scale, second) : Vector{};
        Tiles::storePair(probabilitiesTurned, i, j, first, second);
        Tiles::storePair(changesTurned, i, j, firstChange, secondChange);
        Tiles::storeRow(changes, i, j, firstChange);
        if (both) Tiles::storeRow(changes, i + 1, j, secondChange);
      }
    }
    Tiles::addTurned(rows, keys, size, probabilitiesTurned, work.gradientsAlong, work.valueSums + plane);
    Tiles::addTurned(rows, keys, size, changesTurned, work.queriesAlong, work.keySums + plane);
    Tiles::addWeighted(rows, keys, size, changes, work.keysAlong + tile * Tiles::alongFloats(size), work.querySums);
  }
  for (int64_t i = 0; i < rows; i++) {
    Number* to = one.queryGradient.at(block.token + i, head * size);
    for (int64_t d = 0; d < size; d++) storeOne(to + d, work.querySums[i * size + d]);
  }
}

template <typename Tiles, typename Number>
void backward(const Backward<Number>& one, int thread, const Team& team) {
  const TileScope tilesOpen;
  const AttentionShape& shape = one.shape;
  const int64_t keyHeads = shape.keyValueHeads, group = shape.heads / keyHeads, size = shape.headSize;
  const int64_t tiles = shape.tiles(), plane = tiles * BK * size;
  const int64_t across = Tiles::acrossFloats(size), along = Tiles::alongFloats(size), left = Tiles::leftFloats(size);
  const Range tasks = partOf(shape.sequences * keyHeads, thread, team.threads);
  const int64_t floats = tiles * (2 * across + along) + 2 * plane + BQ * size + 2 * left + 2 * along + 64;
  float* memory = static_cast<float*>(scratch(thread, 2, floats * 4));
  auto take = [&memory](int64_t count) {
    float* taken = memory;
    memory += count;
    return taken;
  };
  BackwardScratch work;
  work.keysAcross = take(tiles * across);
  work.valuesAcross = take(tiles * across);
  work.keysAlong = take(tiles * along);
  work.keySums = take(plane);
  work.valueSums = take(plane);
  work.querySums = take(BQ * size);
  work.queriesLeft = take(left);
  work.gradientsLeft = take(left);
  work.queriesAlong = take(along);
  work.gradientsAlong = take(along);
  for (int64_t task = tasks.begin; task < tasks.end; task++) {
    const int64_t sequence = task / keyHeads, column = task % keyHeads * size, row = sequence * shape.keyLength;
    for (int64_t tile = 0; tile < tiles; tile++) {
      const int64_t count = shape.keysOf(tile), first = row + tile * BK;
      Tiles::packAcross(one.key.at(first, column), one.key.stride, count, size, work.keysAcross + tile * across);
      Tiles::packAlong(one.key.at(first, column), one.key.stride, count, size, work.keysAlong + tile * along);
      Tiles::packAcross(one.value.at(first, column), one.value.stride, count, size, work.valuesAcross + tile * across);
    }
    std::fill(work.keySums, work.keySums + plane, 0.0f);
    std::fill(work.valueSums, work.valueSums + plane, 0.0f);
    const int64_t firstHead = task % keyHeads * group;
    for (int64_t first = 0; first < shape.queryLength; first += BQ) {
      const QueryBlock block(shape, one.mask, sequence, first);
      for (int64_t head = firstHead; head < firstHead + group; head++) backwardBlock<Tiles>(one, work, head, block);
    }
    for (int64_t j = 0; j < shape.keyLength; j++) {
      Number *key = one.keyGradient.at(row + j, column), *value = one.valueGradient.at(row + j, column);
      for (int64_t d = 0; d < size; d++) storeOne(key + d, work.keySums[j * size + d]);
      for (int64_t d = 0; d < size; d++) storeOne(value + d, work.valueSums[j * size + d]);
    }
  }
}

}  // namespace

TILTH_EXPORT void tilth_attention_backward(
    int threads, int bf16, const void* query, int64_t queryStride, const void* key, int64_t keyStride, const void* value,
    int64_t valueStride, const void* out, int64_t outStride, const float* logSumExp, const void* gradient,
    int64_t gradientStride, void* queryGradient, int64_t queryGradientStride, void* keyGradient, int64_t keyGradientStride,
    void* valueGradient, int64_t valueGradientStride, const int32_t* visibleFrom, const int32_t* visibleTo,
    int64_t sequences, int64_t queryLength, int64_t keyLength, int64_t heads, int64_t keyValueHeads, int64_t headSize,
    float scale, int causal, int precision) {
  Timer timer;
  withNumber(bf16, [&](auto number) {
    using Number = decltype(number);
    auto rows = [](const void* data, int64_t stride) { return Rows<const Number>{static_cast<const Number*>(data), stride}; };
    auto into = [](void* data, int64_t stride) { return Rows<Number>{static_cast<Number*>(data), stride}; };
    const Backward<Number> one{{sequences, queryLength, keyLength, heads, keyValueHeads, headSize, scale, causal},
                               {visibleFrom, visibleTo},
                               rows(query, queryStride),
                               rows(key, keyStride),
                               rows(value, valueStride),
                               rows(out, outStride),
                               rows(gradient, gradientStride),
                               logSumExp,
                               into(queryGradient, queryGradientStride),
                               into(keyGradient, keyGradientStride),
                               into(valueGradient, valueGradientStride)};
    parallel(threads, [&](int thread, const Team& team) {
#if defined(__AVX512BF16__)
      if (precisionOf(precision) == Precision::bf16) return backward<Bfloat16Tiles>(one, thread, team);
#endif
      (void)precision;
      if constexpr (sizeof(Number) == 4) backward<SingleTiles>(one, thread, team);
    });
  });
}
