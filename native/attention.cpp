// Attention without a [queries, keys] matrix in memory (Dao et al. 2022): tiles of 32 queries × 64 keys.
// query [sequences·queryLength, heads·D], key/value [sequences·keyLength, keyValueHeads·D], row strides in elements.
// Work is shared out by (sequence, key/value head): all sums into one gradient happen on one thread, in a fixed order.
// Bound: FMA units; 4·T·D FLOPs a query and head forward, 10·T·D backward, half of it with the causal mask.
#include <algorithm>
#include <cmath>

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

void forwardBlock(const Shape& shape, const Inputs& in, const float* packedKeys, int64_t sequence, int64_t head,
                  const Block& block, float* out, int64_t outStride, float* logSumExp, float* mixed) {
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
    tileProduct(block.rows, BK, size, queries, in.queryStride, 1, packedKeys + tile * BK * size, BK, scores, BK, false);
    for (int64_t i = 0; i < block.rows; i++)
      softmaxRow(scores + i * BK, block.inTile(i, tile), shape.scale, maxima[i], sums[i], mixed + i * size, size);
    const float* values = in.value + (sequence * shape.keyLength + tile * BK) * in.valueStride + keyHead * size;
    tileProduct(block.rows, size, keys, scores, BK, 1, values, in.valueStride, mixed, size, true);
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
  float *packedKeys, *packedValues, *keySums, *valueSums, *querySums;
};

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
    const float* packedKeys = work.packedKeys + tile * BK * size;
    const float* packedValues = work.packedValues + tile * BK * size;
    tileProduct(block.rows, BK, size, queries, in.queryStride, 1, packedKeys, BK, probabilities, BK, false);
    tileProduct(block.rows, BK, size, gradients, to.gradientStride, 1, packedValues, BK, changes, BK, false);
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
    tileProduct(keys, size, block.rows, probabilities, 1, BK, gradients, to.gradientStride,
                work.valueSums + tile * BK * size, size, true);
    tileProduct(keys, size, block.rows, changes, 1, BK, queries, in.queryStride, work.keySums + tile * BK * size, size, true);
    tileProduct(block.rows, size, keys, changes, BK, 1, keyRows, in.keyStride, work.querySums, size, true);
  }
  for (int64_t i = 0; i < block.rows; i++)
    std::copy(work.querySums + i * size, work.querySums + (i + 1) * size,
              to.query + (token + i) * to.queryStride + head * size);
}

}  // namespace

TILTH_EXPORT void tilth_attention(int threads, const float* query, int64_t queryStride, const float* key, int64_t keyStride,
                                  const float* value, int64_t valueStride, float* out, int64_t outStride, float* logSumExp,
                                  const int32_t* visibleFrom, const int32_t* visibleTo, int64_t sequences,
                                  int64_t queryLength, int64_t keyLength, int64_t heads, int64_t keyValueHeads,
                                  int64_t headSize, float scale, int causal) {
  Timer timer;
  Shape shape{sequences, queryLength, keyLength, heads, keyValueHeads, headSize, scale, causal};
  Inputs in{query, key, value, queryStride, keyStride, valueStride, visibleFrom, visibleTo};
  const int64_t group = heads / keyValueHeads, tiles = tilesOf(keyLength);
  parallel(threads, [&](int thread, const Team& team) {
    Range tasks = partOf(sequences * keyValueHeads, thread, team.threads);
    float* packed = static_cast<float*>(scratch(thread, 2, tiles * BK * headSize * 4));
    float* mixed = static_cast<float*>(scratch(thread, 3, std::max(BQ * headSize, tiles * BK) * 4));
    for (int64_t task = tasks.begin; task < tasks.end; task++) {
      int64_t sequence = task / keyValueHeads, keyHead = task % keyValueHeads;
      if (queryLength < 4) {
        for (int64_t head = keyHead * group; head < (keyHead + 1) * group; head++)
          for (int64_t i = 0; i < queryLength; i++)
            forwardSingle(shape, in, sequence, head, i, out, outStride, logSumExp, mixed);
        continue;
      }
      for (int64_t tile = 0; tile < tiles; tile++)
        packTransposed(key + (sequence * keyLength + tile * BK) * keyStride + keyHead * headSize, keyStride,
                       std::min(BK, keyLength - tile * BK), headSize, packed + tile * BK * headSize);
      for (int64_t first = 0; first < queryLength; first += BQ) {
        Block block(shape, in, sequence, first);
        for (int64_t head = keyHead * group; head < (keyHead + 1) * group; head++)
          forwardBlock(shape, in, packed, sequence, head, block, out, outStride, logSumExp, mixed);
      }
    }
  });
}

TILTH_EXPORT void tilth_attention_backward(
    int threads, const float* query, int64_t queryStride, const float* key, int64_t keyStride, const float* value,
    int64_t valueStride, const float* out, int64_t outStride, const float* logSumExp, const float* gradient,
    int64_t gradientStride, float* queryGradient, int64_t queryGradientStride, float* keyGradient, int64_t keyGradientStride,
    float* valueGradient, int64_t valueGradientStride, const int32_t* visibleFrom, const int32_t* visibleTo,
    int64_t sequences, int64_t queryLength, int64_t keyLength, int64_t heads, int64_t keyValueHeads, int64_t headSize,
    float scale, int causal) {
  Timer timer;
  Shape shape{sequences, queryLength, keyLength, heads, keyValueHeads, headSize, scale, causal};
  Inputs in{query, key, value, queryStride, keyStride, valueStride, visibleFrom, visibleTo};
  Gradients to{out,       gradient,       queryGradient,       keyGradient,       valueGradient,
               outStride, gradientStride, queryGradientStride, keyGradientStride, valueGradientStride};
  const int64_t group = heads / keyValueHeads, tiles = tilesOf(keyLength), plane = tiles * BK * headSize;
  parallel(threads, [&](int thread, const Team& team) {
    Range tasks = partOf(sequences * keyValueHeads, thread, team.threads);
    float* memory = static_cast<float*>(scratch(thread, 2, (4 * plane + BQ * headSize) * 4));
    BackwardScratch work{memory, memory + plane, memory + 2 * plane, memory + 3 * plane, memory + 4 * plane};
    for (int64_t task = tasks.begin; task < tasks.end; task++) {
      int64_t sequence = task / keyValueHeads, keyHead = task % keyValueHeads, row = sequence * keyLength;
      for (int64_t tile = 0; tile < tiles; tile++) {
        int64_t count = std::min(BK, keyLength - tile * BK), at = tile * BK * headSize;
        packTransposed(key + (row + tile * BK) * keyStride + keyHead * headSize, keyStride, count, headSize,
                       work.packedKeys + at);
        packTransposed(value + (row + tile * BK) * valueStride + keyHead * headSize, valueStride, count, headSize,
                       work.packedValues + at);
      }
      std::fill(work.keySums, work.keySums + 2 * plane, 0.0f);
      for (int64_t first = 0; first < queryLength; first += BQ) {
        Block block(shape, in, sequence, first);
        for (int64_t head = keyHead * group; head < (keyHead + 1) * group; head++)
          backwardBlock(shape, in, logSumExp, to, work, sequence, head, block);
      }
      for (int64_t j = 0; j < keyLength; j++) {
        std::copy(work.keySums + j * headSize, work.keySums + (j + 1) * headSize,
                  keyGradient + (row + j) * keyGradientStride + keyHead * headSize);
        std::copy(work.valueSums + j * headSize, work.valueSums + (j + 1) * headSize,
                  valueGradient + (row + j) * valueGradientStride + keyHead * headSize);
      }
    }
  });
}
