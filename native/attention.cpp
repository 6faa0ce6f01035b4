// Attention without a [queries, keys] matrix in memory (Dao et al. 2022): tiles of 32 queries × 64 keys.
// query [sequences·queryLength, heads·D], key/value [sequences·keyLength, keyValueHeads·D], row strides in elements; these and
// out are f32, or all bf16 where products are. logSumExp [heads, sequences·queryLength], f32.
// With `pages` [sequences, tiles of keyLength] key j of a sequence is row pages[j / 64]·64 + j % 64 (Kwon et al. 2023).
// Work is shared out by (sequence, key/value head). In bf16 the operands of all products are rounded; softmax and sums stay f32.
// Bound: FMA units; 4·T·D FLOPs a query and head, half of it with the causal mask.
#include "attention_block.h"
#include "gemm.h"

namespace {

using namespace tilth;

template <typename Number>
struct Forward {
  AttentionShape shape;
  AttentionMask mask;
  Rows<const Number> query, key, value;
  Rows<Number> out;
  float* logSumExp;
  const int32_t* pages;

  // The row of a tile's first key.
  int64_t keyRow(int64_t sequence, int64_t tile) const {
    return pages ? pages[sequence * shape.tiles() + tile] * BK : sequence * shape.keyLength + tile * BK;
  }
};

struct ForwardScratch {
  float *keysAcross, *valuesAlong, *left, *mixed;
};

// What is known of a block's rows so far: the largest scaled score and Σ exp, lane by lane.
struct RunningSoftmax {
  alignas(64) float maxima[BQ];
  alignas(64) float sums[BQ][W];

  RunningSoftmax() {
    std::fill(maxima, maxima + BQ, -INFINITY);
    std::fill(&sums[0][0], &sums[0][0] + BQ * W, 0.0f);
  }
};

// Scores of a tile become unnormalised probabilities in `weights`; maxima and sums are updated and the earlier output scaled
// to the new maxima.
template <typename Tiles>
void softmaxTile(float* scores, int64_t count, const QueryBlock& block, int64_t tile, float scale, RunningSoftmax& state,
                 float* mixed, int64_t size, float* weights) {
  alignas(64) float next[BQ];
  alignas(64) float corrections[BQ];
  for (int64_t i = 0; i < block.rows; i++) {
    float* row = scores + i * BK;
    const Range inside = block.inTile(i, tile);
    if (inside.begin > 0 || inside.end < count) hideOutside(row, inside, count);
    Vector highest = load(row);
    for (int64_t j = W; j < count; j += W) highest = maximum(highest, load(row + j));
    next[i] = std::max(state.maxima[i], maximumOf(highest) * scale);
  }
  for (int64_t i = block.rows; i < BQ; i++) next[i] = state.maxima[i];
  for (int64_t i = 0; i < BQ; i += W) {
    const Vector before = load(state.maxima + i), after = load(next + i);
    store(corrections + i, select(before == after, broadcast(1.0f), exponential(before - after)));
    store(state.maxima + i, after);
  }
  for (int64_t i = 0; i < block.rows; i++) {
    const float* row = scores + i * BK;
    // A row that has seen no key yet keeps weights of zero.
    const float top = next[i] == -INFINITY ? 0.0f : next[i], correction = corrections[i];
    Vector sum = load(state.sums[i]) * correction;
    for (int64_t j = 0; j < count; j += W) {
      const Vector weight = exponential(load(row + j) * scale - top);
      Tiles::storeRow(weights, i, j, weight);
      sum += weight;
    }
    store(state.sums[i], sum);
    if (correction == 1.0f) continue;
    float* to = mixed + i * size;
    int64_t d = 0;
    for (; d + W <= size; d += W) store(to + d, load(to + d) * correction);
    for (; d < size; d++) to[d] *= correction;
  }
}

template <typename Tiles, typename Number>
void forwardBlock(const Forward<Number>& one, const ForwardScratch& work, int64_t head, const QueryBlock& block) {
  const AttentionShape& shape = one.shape;
  const int64_t size = shape.headSize;
  alignas(64) float scores[BQ * BK];
  alignas(64) float weights[Tiles::kWeightFloats];
  RunningSoftmax state;
  std::fill(work.mixed, work.mixed + block.rows * size, 0.0f);
  Tiles::packLeft(one.query.at(block.token, head * size), one.query.stride, block.rows, size, work.left);
  for (int64_t tile = block.firstTile; tile < block.lastTile; tile++) {
    const int64_t count = block.keysSeen(tile), keys = std::min(count, shape.keysOf(tile));
    Tiles::timesAcross(block.rows, count, size, work.left, work.keysAcross + tile * Tiles::acrossFloats(size), scores);
    softmaxTile<Tiles>(scores, count, block, tile, shape.scale, state, work.mixed, size, weights);
    Tiles::addWeighted(block.rows, keys, size, weights, work.valuesAlong + tile * Tiles::alongFloats(size), work.mixed);
  }
  for (int64_t i = 0; i < block.rows; i++) {
    const float sum = sumOf(load(state.sums[i])), inverse = sum > 0 ? 1.0f / sum : 0.0f;
    Number* to = one.out.at(block.token + i, head * size);
    const float* mixed = work.mixed + i * size;
    int64_t d = 0;
    for (; d + W <= size; d += W) store(to + d, load(mixed + d) * inverse);
    for (; d < size; d++) storeOne(to + d, mixed[d] * inverse);
    one.logSumExp[head * shape.tokens() + block.token + i] = sum > 0 ? state.maxima[i] + std::log(sum) : 0.0f;
  }
}

// One query against few or many keys without packing them: the path of generation.
template <typename Number>
void forwardSingle(const Forward<Number>& one, int64_t sequence, int64_t head, int64_t query, float* scores, float* mixed) {
  const AttentionShape& shape = one.shape;
  const int64_t size = shape.headSize, keyHead = head * shape.keyValueHeads / shape.heads;
  const int64_t token = sequence * shape.queryLength + query;
  const Number* q = one.query.at(token, head * size);
  const Range range = visibleKeys(shape, one.mask, sequence, query);
  float highest = -INFINITY, sum = 0.0f;
  for (int64_t first = range.begin; first < range.end;) {
    const int64_t tile = first / BK, end = std::min(range.end, (tile + 1) * BK), base = one.keyRow(sequence, tile) - tile * BK;
    for (int64_t j = first; j < end; j++) {
      const Number* k = one.key.at(base + j, keyHead * size);
      Vector products = {};
      int64_t d = 0;
      for (; d + W <= size; d += W) products += load(q + d) * load(k + d);
      float score = sumOf(products);
      for (; d < size; d++) score += toFloat(q[d]) * toFloat(k[d]);
      scores[j] = score * shape.scale;
      highest = std::max(highest, scores[j]);
    }
    first = end;
  }
  std::fill(mixed, mixed + size, 0.0f);
  for (int64_t first = range.begin; first < range.end;) {
    const int64_t tile = first / BK, end = std::min(range.end, (tile + 1) * BK), base = one.keyRow(sequence, tile) - tile * BK;
    for (int64_t j = first; j < end; j++) {
      const Number* v = one.value.at(base + j, keyHead * size);
      const float weight = std::exp(scores[j] - highest);
      sum += weight;
      int64_t d = 0;
      for (; d + W <= size; d += W) store(mixed + d, load(mixed + d) + weight * load(v + d));
      for (; d < size; d++) mixed[d] += weight * toFloat(v[d]);
    }
    first = end;
  }
  Number* to = one.out.at(token, head * size);
  for (int64_t d = 0; d < size; d++) storeOne(to + d, mixed[d] * (sum > 0 ? 1.0f / sum : 0.0f));
  one.logSumExp[head * shape.tokens() + token] = sum > 0 ? highest + std::log(sum) : 0.0f;
}

template <typename Tiles, typename Number>
void forward(const Forward<Number>& one, int thread, const Team& team) {
  const TileScope tilesOpen;
  const AttentionShape& shape = one.shape;
  const int64_t keyHeads = shape.keyValueHeads, group = shape.heads / keyHeads, size = shape.headSize, tiles = shape.tiles();
  const int64_t across = Tiles::acrossFloats(size), along = Tiles::alongFloats(size), left = Tiles::leftFloats(size);
  const Range tasks = partOf(shape.sequences * keyHeads, thread, team.threads);
  float* memory = static_cast<float*>(scratch(thread, 2, (tiles * (across + along + BK) + left + BQ * size + 64) * 4));
  const ForwardScratch work{memory, memory + tiles * across, memory + tiles * (across + along),
                            memory + tiles * (across + along) + left};
  for (int64_t task = tasks.begin; task < tasks.end; task++) {
    const int64_t sequence = task / keyHeads, keyHead = task % keyHeads;
    if (shape.queryLength < 4) {
      for (int64_t head = keyHead * group; head < (keyHead + 1) * group; head++)
        for (int64_t i = 0; i < shape.queryLength; i++) forwardSingle(one, sequence, head, i, memory, work.mixed);
      continue;
    }
    for (int64_t tile = 0; tile < tiles; tile++) {
      const int64_t row = one.keyRow(sequence, tile), count = shape.keysOf(tile);
      Tiles::packAcross(one.key.at(row, keyHead * size), one.key.stride, count, size, work.keysAcross + tile * across);
      Tiles::packAlong(one.value.at(row, keyHead * size), one.value.stride, count, size, work.valuesAlong + tile * along);
    }
    for (int64_t first = 0; first < shape.queryLength; first += BQ) {
      const QueryBlock block(shape, one.mask, sequence, first);
      for (int64_t head = keyHead * group; head < (keyHead + 1) * group; head++) forwardBlock<Tiles>(one, work, head, block);
    }
  }
}

}  // namespace

TILTH_EXPORT void tilth_attention(int threads, int bf16, const void* query, int64_t queryStride, const void* key,
                                  int64_t keyStride, const void* value, int64_t valueStride, void* out, int64_t outStride,
                                  float* logSumExp, const int32_t* visibleFrom, const int32_t* visibleTo, const int32_t* pages,
                                  int64_t sequences, int64_t queryLength, int64_t keyLength, int64_t heads, int64_t keyValueHeads,
                                  int64_t headSize, float scale, int causal, int precision) {
  Timer timer;
  withNumber(bf16, [&](auto number) {
    using Number = decltype(number);
    auto rows = [](const void* data, int64_t stride) { return Rows<const Number>{static_cast<const Number*>(data), stride}; };
    const Forward<Number> one{{sequences, queryLength, keyLength, heads, keyValueHeads, headSize, scale, causal},
                              {visibleFrom, visibleTo},
                              rows(query, queryStride),
                              rows(key, keyStride),
                              rows(value, valueStride),
                              {static_cast<Number*>(out), outStride},
                              logSumExp,
                              pages};
    parallel(threads, [&](int thread, const Team& team) {
#if defined(__AVX512BF16__)
      if (precisionOf(precision) == Precision::bf16) return forward<Bfloat16Tiles>(one, thread, team);
#endif
      (void)precision;
      if constexpr (sizeof(Number) == 4) forward<SingleTiles>(one, thread, team);
    });
  });
}
