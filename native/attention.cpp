// Attention without a [queries, keys] matrix in memory (Dao et al. 2022): tiles of 32 queries × 64 keys.
// query [sequences·queryLength, heads·D], key/value [sequences·keyLength, keyValueHeads·D], row strides in elements.
// Work is shared out by (sequence, key/value head): all sums into one gradient happen on one thread, in a fixed order.
// In bf16 the operands of all products are rounded, softmax and sums stay f32. Bound: FMA units; 4·T·D FLOPs a query and head forward, 10·T·D backward, half of it with the causal mask.
#include <algorithm>
#include <cmath>

#include "bf16.h"
#include "gemm.h"
#include "pool.h"
#include "tile.h"
#include "transpose.h"

namespace {

using namespace tilth;

constexpr int64_t BQ = 32, BK = 64;

struct Shape {
  int64_t sequences, queryLength, keyLength, heads, keyValueHeads, headSize;
  float scale;
  int causal;
};

struct Inputs {
  const float *query, *key, *value;
  int64_t queryStride, keyStride, valueStride;
  const int32_t *visibleFrom, *visibleTo;  // both or neither
};

// The keys that a query sees: [from, to) within its sequence.
inline Range visible(const Shape& shape, const Inputs& in, int64_t sequence, int64_t query) {
  int64_t token = sequence * shape.queryLength + query;
  int64_t from = 0, to = shape.causal ? query + shape.keyLength - shape.queryLength + 1 : shape.keyLength;
  if (in.visibleFrom) {
    from = std::max<int64_t>(from, in.visibleFrom[token]);
    to = std::min<int64_t>(to, in.visibleTo[token]);
  }
  return {from, std::max(from, std::min(to, shape.keyLength))};
}

// Transposes BK rows of D into [D][BK]; rows past `count` are zero.
void packTransposed(const float* from, int64_t stride, int64_t count, int64_t headSize, float* to) {
  alignas(64) static const float zeros[8] = {};
  const int64_t whole = headSize / 8 * 8;
  for (int64_t j = 0; j < BK; j += 8)
    for (int64_t d = 0; d < whole; d += 8) {
      const float* rows[8];
      for (int l = 0; l < 8; l++) rows[l] = j + l < count ? from + (j + l) * stride + d : zeros;
      transposeEight(rows, to + d * BK + j, BK);
    }
  for (int64_t d = whole; d < headSize; d++)
    for (int64_t j = 0; j < BK; j++) to[d * BK + j] = j < count ? from[j * stride + d] : 0.0f;
}

// The products on tiles in f32. "Across" is a tile of rows packed for products over the head size, "along" one packed for
// sums over its rows.
struct SingleTiles {
  static int64_t acrossFloats(int64_t size) { return BK * size; }
  static int64_t alongFloats(int64_t) { return 0; }
  static int64_t workFloats(int64_t) { return 0; }
  static void packAcross(const float* rows, int64_t stride, int64_t count, int64_t size, float* to) {
    packTransposed(rows, stride, count, size, to);
  }
  static void packAlong(const float*, int64_t, int64_t, int64_t, float*) {}
  // out [m, BK] = a [m, size] · across.
  static void timesAcross(int64_t m, int64_t size, const float* a, int64_t aStride, const float* across, float* out, float*) {
    tileProduct(m, BK, size, a, aStride, 1, across, BK, out, BK, false);
  }
  // out [m, size] += weights [m, BK] · rows [count, size].
  static void addWeighted(int64_t m, int64_t count, int64_t size, const float* weights, const float* rows, int64_t stride,
                          const float*, float* out, float*) {
    tileProduct(m, size, count, weights, BK, 1, rows, stride, out, size, true);
  }
  // out [count, size] += weights [m, count of BK]ᵀ · rows [m, size].
  static void addTransposed(int64_t m, int64_t count, int64_t size, const float* weights, const float* rows, int64_t stride,
                            float* out, float*) {
    tileProduct(count, size, m, weights, 1, BK, rows, stride, out, size, true);
  }
};

#if defined(__AVX512BF16__)
// The same with operands rounded to bfloat16.
struct Bfloat16Tiles {
  static int64_t pairs(int64_t count) { return (count + 1) / 2; }
  static int64_t acrossFloats(int64_t size) { return pairs(size) * BK; }
  static int64_t alongFloats(int64_t size) { return pairs(BK) * size; }
  static int64_t workFloats(int64_t size) { return BQ * std::max(pairs(size), BK) + pairs(BQ) * size; }
  static void packAcross(const float* rows, int64_t stride, int64_t count, int64_t size, float* to) {
    packCells(rows, stride, 1, count, size, BK, to);
  }
  static void packAlong(const float* rows, int64_t stride, int64_t count, int64_t size, float* to) {
    packCells(rows, 1, stride, size, count, size, to);
  }
  static void timesAcross(int64_t m, int64_t size, const float* a, int64_t aStride, const float* across, float* out,
                          float* work) {
    for (int64_t i = 0; i < m; i++) rowCells(a + i * aStride, size, work + i * pairs(size));
    cellProduct(m, BK, pairs(size), work, pairs(size), 1, across, BK, out, BK, false);
  }
  static void addWeighted(int64_t m, int64_t count, int64_t size, const float* weights, const float*, int64_t,
                          const float* along, float* out, float* work) {
    for (int64_t i = 0; i < m; i++) rowCells(weights + i * BK, BK, work + i * pairs(BK));
    cellProduct(m, size, pairs(count), work, pairs(BK), 1, along, size, out, size, true);
  }
  static void addTransposed(int64_t m, int64_t count, int64_t size, const float* weights, const float* rows, int64_t stride,
                            float* out, float* work) {
    float* along = work + pairs(BQ) * BK;
    packCells(weights, 1, BK, BK, m, BK, work);
    packCells(rows, 1, stride, size, m, size, along);
    cellProduct(count, size, pairs(m), work, 1, BK, along, size, out, size, true);
  }
};
#endif

int64_t tilesOf(int64_t keys) { return (keys + BK - 1) / BK; }

// A block of queries: its rows' visible ranges and the tiles that any of them touches.
struct Block {
  int64_t first, rows;
  Range ranges[BQ];
  int64_t firstTile, lastTile;  // [firstTile, lastTile)

  Block(const Shape& shape, const Inputs& in, int64_t sequence, int64_t start) : first(start) {
    rows = std::min(BQ, shape.queryLength - start);
    int64_t from = shape.keyLength, to = 0;
    for (int64_t i = 0; i < rows; i++) {
      ranges[i] = visible(shape, in, sequence, start + i);
      if (ranges[i].begin < ranges[i].end) {
        from = std::min(from, ranges[i].begin);
        to = std::max(to, ranges[i].end);
      }
    }
    firstTile = from / BK;
    lastTile = to > from ? tilesOf(to) : firstTile;
  }

  // The part of row i's range inside a tile, relative to the tile.
  Range inTile(int64_t i, int64_t tile) const {
    int64_t begin = std::min(BK, std::max<int64_t>(0, ranges[i].begin - tile * BK));
    int64_t end = std::min(BK, ranges[i].end - tile * BK);
    return {begin, std::max(begin, end)};
  }
};

void fillOutside(float* row, Range inside, float value) {
  for (int64_t j = 0; j < inside.begin; j++) row[j] = value;
  for (int64_t j = inside.end; j < BK; j++) row[j] = value;
}

// One row of scores becomes unnormalised probabilities; running maximum and sum are updated and the earlier output
// scaled to the new maximum.
void softmaxRow(float* scores, Range inside, float scale, float& rowMaximum, float& rowSum, float* mixed, int64_t headSize) {
  if (inside.begin >= inside.end) {
    std::fill(scores, scores + BK, 0.0f);
    return;
  }
  if (inside.begin > 0 || inside.end < BK) fillOutside(scores, inside, -INFINITY);
  Vector highest = load(scores);
  for (int64_t j = W; j < BK; j += W) highest = maximum(highest, load(scores + j));
  float next = std::max(rowMaximum, maximumOf(highest) * scale);
  Vector sum = {};
  for (int64_t j = 0; j < BK; j += W) {
    Vector weight = exponential(load(scores + j) * scale - next);
    store(scores + j, weight);
    sum += weight;
  }
  float correction = rowMaximum == next ? 1.0f : exponential(broadcast(rowMaximum - next))[0];
  rowSum = rowSum * correction + sumOf(sum);
  rowMaximum = next;
  if (correction != 1.0f)
    for (int64_t d = 0; d < headSize; d++) mixed[d] *= correction;
}

struct ForwardScratch {
  float *keysAcross, *valuesAlong, *mixed, *work;
};

template <typename Tiles>
void forwardBlock(const Shape& shape, const Inputs& in, const ForwardScratch& scratches, int64_t sequence, int64_t head,
                  const Block& block, float* out, int64_t outStride, float* logSumExp) {
  float* mixed = scratches.mixed;
  const int64_t size = shape.headSize, keyHead = head * shape.keyValueHeads / shape.heads;
  const int64_t token = sequence * shape.queryLength + block.first;
  const float* queries = in.query + token * in.queryStride + head * size;
  alignas(64) float scores[BQ * BK];
  float maxima[BQ], sums[BQ];
  std::fill(maxima, maxima + BQ, -INFINITY);
  std::fill(sums, sums + BQ, 0.0f);
  std::fill(mixed, mixed + block.rows * size, 0.0f);
  for (int64_t tile = block.firstTile; tile < block.lastTile; tile++) {
    int64_t keys = std::min(BK, shape.keyLength - tile * BK);
    Tiles::timesAcross(block.rows, size, queries, in.queryStride, scratches.keysAcross + tile * Tiles::acrossFloats(size),
                       scores, scratches.work);
    for (int64_t i = 0; i < block.rows; i++)
      softmaxRow(scores + i * BK, block.inTile(i, tile), shape.scale, maxima[i], sums[i], mixed + i * size, size);
    const float* values = in.value + (sequence * shape.keyLength + tile * BK) * in.valueStride + keyHead * size;
    Tiles::addWeighted(block.rows, keys, size, scores, values, in.valueStride,
                       scratches.valuesAlong + tile * Tiles::alongFloats(size), mixed, scratches.work);
  }
  const int64_t tokens = shape.sequences * shape.queryLength;
  for (int64_t i = 0; i < block.rows; i++) {
    float inverse = sums[i] > 0 ? 1.0f / sums[i] : 0.0f;
    float* to = out + (token + i) * outStride + head * size;
    for (int64_t d = 0; d < size; d++) to[d] = mixed[i * size + d] * inverse;
    logSumExp[head * tokens + token + i] = sums[i] > 0 ? maxima[i] + std::log(sums[i]) : 0.0f;
  }
}

// One query against few or many keys without packing them: the path of generation.
void forwardSingle(const Shape& shape, const Inputs& in, int64_t sequence, int64_t head, int64_t query, float* out,
                   int64_t outStride, float* logSumExp, float* scores) {
  const int64_t size = shape.headSize, keyHead = head * shape.keyValueHeads / shape.heads;
  const int64_t token = sequence * shape.queryLength + query, tokens = shape.sequences * shape.queryLength;
  const float* q = in.query + token * in.queryStride + head * size;
  Range range = visible(shape, in, sequence, query);
  float highest = -INFINITY, sum = 0.0f;
  for (int64_t j = range.begin; j < range.end; j++) {
    const float* k = in.key + (sequence * shape.keyLength + j) * in.keyStride + keyHead * size;
    Vector products = {};
    int64_t d = 0;
    for (; d + W <= size; d += W) products += load(q + d) * load(k + d);
    float score = sumOf(products);
    for (; d < size; d++) score += q[d] * k[d];
    scores[j] = score * shape.scale;
    highest = std::max(highest, scores[j]);
  }
  float* to = out + token * outStride + head * size;
  std::fill(to, to + size, 0.0f);
  for (int64_t j = range.begin; j < range.end; j++) {
    const float* v = in.value + (sequence * shape.keyLength + j) * in.valueStride + keyHead * size;
    float weight = std::exp(scores[j] - highest);
    sum += weight;
    for (int64_t d = 0; d < size; d++) to[d] += weight * v[d];
  }
  for (int64_t d = 0; d < size; d++) to[d] *= sum > 0 ? 1.0f / sum : 0.0f;
  logSumExp[head * tokens + token] = sum > 0 ? highest + std::log(sum) : 0.0f;
}

struct Gradients {
  const float* out;
  const float* gradient;
  float *query, *key, *value;
  int64_t outStride, gradientStride, queryStride, keyStride, valueStride;
};

struct BackwardScratch {
  float *keysAcross, *keysAlong, *valuesAcross, *keySums, *valueSums, *querySums, *work;
};

template <typename Tiles>
void backwardBlock(const Shape& shape, const Inputs& in, const float* logSumExp, const Gradients& to,
                   const BackwardScratch& work, int64_t sequence, int64_t head, const Block& block) {
  const int64_t size = shape.headSize, keyHead = head * shape.keyValueHeads / shape.heads;
  const int64_t token = sequence * shape.queryLength + block.first, tokens = shape.sequences * shape.queryLength;
  const float* queries = in.query + token * in.queryStride + head * size;
  const float* gradients = to.gradient + token * to.gradientStride + head * size;
  alignas(64) float probabilities[BQ * BK];
  alignas(64) float changes[BQ * BK];
  float projections[BQ];
  for (int64_t i = 0; i < block.rows; i++) {
    const float* out = to.out + (token + i) * to.outStride + head * size;
    float sum = 0.0f;
    for (int64_t d = 0; d < size; d++) sum += out[d] * gradients[i * to.gradientStride + d];
    projections[i] = sum;
  }
  std::fill(work.querySums, work.querySums + block.rows * size, 0.0f);
  for (int64_t tile = block.firstTile; tile < block.lastTile; tile++) {
    int64_t keys = std::min(BK, shape.keyLength - tile * BK);
    Tiles::timesAcross(block.rows, size, queries, in.queryStride, work.keysAcross + tile * Tiles::acrossFloats(size),
                       probabilities, work.work);
    Tiles::timesAcross(block.rows, size, gradients, to.gradientStride, work.valuesAcross + tile * Tiles::acrossFloats(size),
                       changes, work.work);
    for (int64_t i = 0; i < block.rows; i++) {
      float* row = probabilities + i * BK;
      float* change = changes + i * BK;
      Range inside = block.inTile(i, tile);
      if (inside.begin > 0 || inside.end < BK) fillOutside(row, inside, -INFINITY);
      float logSum = logSumExp[head * tokens + token + i];
      for (int64_t j = 0; j < BK; j += W) {
        Vector probability = exponential(load(row + j) * shape.scale - logSum);
        store(row + j, probability);
        store(change + j, probability * (load(change + j) - projections[i]) * shape.scale);
      }
    }
    const float* keyRows = in.key + (sequence * shape.keyLength + tile * BK) * in.keyStride + keyHead * size;
    Tiles::addTransposed(block.rows, keys, size, probabilities, gradients, to.gradientStride,
                         work.valueSums + tile * BK * size, work.work);
    Tiles::addTransposed(block.rows, keys, size, changes, queries, in.queryStride, work.keySums + tile * BK * size, work.work);
    Tiles::addWeighted(block.rows, keys, size, changes, keyRows, in.keyStride,
                       work.keysAlong + tile * Tiles::alongFloats(size), work.querySums, work.work);
  }
  for (int64_t i = 0; i < block.rows; i++)
    std::copy(work.querySums + i * size, work.querySums + (i + 1) * size,
              to.query + (token + i) * to.queryStride + head * size);
}

struct Output {
  float* out;
  int64_t stride;
  float* logSumExp;
};

template <typename Tiles>
void forward(const Shape& shape, const Inputs& in, const Output& to, int thread, const Team& team) {
  const int64_t keyHeads = shape.keyValueHeads, group = shape.heads / keyHeads, size = shape.headSize;
  const int64_t tiles = tilesOf(shape.keyLength), across = Tiles::acrossFloats(size), along = Tiles::alongFloats(size);
  Range tasks = partOf(shape.sequences * keyHeads, thread, team.threads);
  const int64_t mixed = std::max(BQ * size, tiles * BK);
  float* memory = static_cast<float*>(scratch(thread, 2, (tiles * (across + along) + mixed + Tiles::workFloats(size) + 64) * 4));
  ForwardScratch scratches{memory, memory + tiles * across, memory + tiles * (across + along),
                           memory + tiles * (across + along) + mixed};
  for (int64_t task = tasks.begin; task < tasks.end; task++) {
    int64_t sequence = task / keyHeads, keyHead = task % keyHeads;
    if (shape.queryLength < 4) {
      for (int64_t head = keyHead * group; head < (keyHead + 1) * group; head++)
        for (int64_t i = 0; i < shape.queryLength; i++)
          forwardSingle(shape, in, sequence, head, i, to.out, to.stride, to.logSumExp, scratches.mixed);
      continue;
    }
    for (int64_t tile = 0; tile < tiles; tile++) {
      const int64_t row = sequence * shape.keyLength + tile * BK, count = std::min(BK, shape.keyLength - tile * BK);
      Tiles::packAcross(in.key + row * in.keyStride + keyHead * size, in.keyStride, count, size,
                        scratches.keysAcross + tile * across);
      Tiles::packAlong(in.value + row * in.valueStride + keyHead * size, in.valueStride, count, size,
                       scratches.valuesAlong + tile * along);
    }
    for (int64_t first = 0; first < shape.queryLength; first += BQ) {
      Block block(shape, in, sequence, first);
      for (int64_t head = keyHead * group; head < (keyHead + 1) * group; head++)
        forwardBlock<Tiles>(shape, in, scratches, sequence, head, block, to.out, to.stride, to.logSumExp);
    }
  }
}

template <typename Tiles>
void backward(const Shape& shape, const Inputs& in, const float* logSumExp, const Gradients& to, int thread,
              const Team& team) {
  const int64_t keyHeads = shape.keyValueHeads, group = shape.heads / keyHeads, size = shape.headSize;
  const int64_t tiles = tilesOf(shape.keyLength), plane = tiles * BK * size;
  const int64_t across = Tiles::acrossFloats(size), along = Tiles::alongFloats(size);
  Range tasks = partOf(shape.sequences * keyHeads, thread, team.threads);
  const int64_t floats = tiles * (2 * across + along) + 2 * plane + BQ * size + Tiles::workFloats(size) + 64;
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
  work.work = memory;
  for (int64_t task = tasks.begin; task < tasks.end; task++) {
    int64_t sequence = task / keyHeads, keyHead = task % keyHeads, row = sequence * shape.keyLength;
    for (int64_t tile = 0; tile < tiles; tile++) {
      const int64_t count = std::min(BK, shape.keyLength - tile * BK), first = row + tile * BK;
      const float* keys = in.key + first * in.keyStride + keyHead * size;
      Tiles::packAcross(keys, in.keyStride, count, size, work.keysAcross + tile * across);
      Tiles::packAlong(keys, in.keyStride, count, size, work.keysAlong + tile * along);
      Tiles::packAcross(in.value + first * in.valueStride + keyHead * size, in.valueStride, count, size,
                        work.valuesAcross + tile * across);
    }
    std::fill(work.keySums, work.keySums + plane, 0.0f);
    std::fill(work.valueSums, work.valueSums + plane, 0.0f);
    for (int64_t first = 0; first < shape.queryLength; first += BQ) {
      Block block(shape, in, sequence, first);
      for (int64_t head = keyHead * group; head < (keyHead + 1) * group; head++)
        backwardBlock<Tiles>(shape, in, logSumExp, to, work, sequence, head, block);
    }
    for (int64_t j = 0; j < shape.keyLength; j++) {
      std::copy(work.keySums + j * size, work.keySums + (j + 1) * size, to.key + (row + j) * to.keyStride + keyHead * size);
      std::copy(work.valueSums + j * size, work.valueSums + (j + 1) * size,
                to.value + (row + j) * to.valueStride + keyHead * size);
    }
  }
}

}  // namespace

TILTH_EXPORT void tilth_attention(int threads, const float* query, int64_t queryStride, const float* key, int64_t keyStride,
                                  const float* value, int64_t valueStride, float* out, int64_t outStride, float* logSumExp,
                                  const int32_t* visibleFrom, const int32_t* visibleTo, int64_t sequences,
                                  int64_t queryLength, int64_t keyLength, int64_t heads, int64_t keyValueHeads,
                                  int64_t headSize, float scale, int causal, int precision) {
  Timer timer;
  Shape shape{sequences, queryLength, keyLength, heads, keyValueHeads, headSize, scale, causal};
  Inputs in{query, key, value, queryStride, keyStride, valueStride, visibleFrom, visibleTo};
  parallel(threads, [&](int thread, const Team& team) {
#if defined(__AVX512BF16__)
    if (precisionOf(precision) == Precision::bf16) return forward<Bfloat16Tiles>(shape, in, {out, outStride, logSumExp}, thread, team);
#endif
    (void)precision;
    forward<SingleTiles>(shape, in, {out, outStride, logSumExp}, thread, team);
  });
}

TILTH_EXPORT void tilth_attention_backward(
    int threads, const float* query, int64_t queryStride, const float* key, int64_t keyStride, const float* value,
    int64_t valueStride, const float* out, int64_t outStride, const float* logSumExp, const float* gradient,
    int64_t gradientStride, float* queryGradient, int64_t queryGradientStride, float* keyGradient, int64_t keyGradientStride,
    float* valueGradient, int64_t valueGradientStride, const int32_t* visibleFrom, const int32_t* visibleTo,
    int64_t sequences, int64_t queryLength, int64_t keyLength, int64_t heads, int64_t keyValueHeads, int64_t headSize,
    float scale, int causal, int precision) {
  Timer timer;
  Shape shape{sequences, queryLength, keyLength, heads, keyValueHeads, headSize, scale, causal};
  Inputs in{query, key, value, queryStride, keyStride, valueStride, visibleFrom, visibleTo};
  Gradients to{out,       gradient,       queryGradient,       keyGradient,       valueGradient,
               outStride, gradientStride, queryGradientStride, keyGradientStride, valueGradientStride};
  parallel(threads, [&](int thread, const Team& team) {
#if defined(__AVX512BF16__)
    if (precisionOf(precision) == Precision::bf16) return backward<Bfloat16Tiles>(shape, in, logSumExp, to, thread, team);
#endif
    (void)precision;
    backward<SingleTiles>(shape, in, logSumExp, to, thread, team);
  });
}
