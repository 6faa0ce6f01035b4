// What attention's forward and backward passes share: sizes, masks, and a block of queries with the keys that it sees.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "attention_tiles.h"
#include "pool.h"

namespace tilth {

struct AttentionShape {
  int64_t sequences, queryLength, keyLength, heads, keyValueHeads, headSize;
  float scale;
  int causal;
  int64_t tokens() const { return sequences * queryLength; }
  int64_t tiles() const { return (keyLength + BK - 1) / BK; }
  int64_t keysOf(int64_t tile) const { return std::min(BK, keyLength - tile * BK); }
};

// First and one past the last key that each token sees within its sequence: both or neither.
struct AttentionMask {
  const int32_t *visibleFrom, *visibleTo;
};

// Rows of numbers, `stride` apart.
template <typename Number>
struct Rows {
  Number* data;
  int64_t stride;
  Number* at(int64_t row, int64_t column) const { return data + row * stride + column; }
};

// The keys that a query sees: [from, to) within its sequence.
static inline Range visibleKeys(const AttentionShape& shape, const AttentionMask& mask, int64_t sequence, int64_t query) {
  const int64_t token = sequence * shape.queryLength + query;
  int64_t from = 0, to = shape.causal ? query + shape.keyLength - shape.queryLength + 1 : shape.keyLength;
  if (mask.visibleFrom) {
    from = std::max<int64_t>(from, mask.visibleFrom[token]);
    to = std::min<int64_t>(to, mask.visibleTo[token]);
  }
  return {from, std::max(from, std::min(to, shape.keyLength))};
}

// A block of queries of one sequence: its rows' visible ranges and the tiles that any of them touches.
struct QueryBlock {
  int64_t first, rows, token;  // first query of the sequence, and its row among all tokens
  Range ranges[BQ];
  int64_t firstTile, lastTile;  // [firstTile, lastTile)

  QueryBlock(const AttentionShape& shape, const AttentionMask& mask, int64_t sequence, int64_t start)
      : first(start), rows(std::min(BQ, shape.queryLength - start)), token(sequence * shape.queryLength + start) {
    int64_t from = shape.keyLength, to = 0;
    for (int64_t i = 0; i < rows; i++) {
      ranges[i] = visibleKeys(shape, mask, sequence, start + i);
      if (ranges[i].begin < ranges[i].end) {
        from = std::min(from, ranges[i].begin);
        to = std::max(to, ranges[i].end);
      }
    }
    firstTile = from / BK;
    lastTile = to > from ? (to + BK - 1) / BK : firstTile;
  }

  // The part of row i's range inside a tile, relative to the tile.
  Range inTile(int64_t i, int64_t tile) const {
    const int64_t begin = std::min(BK, std::max<int64_t>(0, ranges[i].begin - tile * BK));
    const int64_t end = std::min(BK, ranges[i].end - tile * BK);
    return {begin, std::max(begin, end)};
  }

  // Keys of a tile, from its start, that any row sees, in whole vectors: beyond them all weights are zero.
  int64_t keysSeen(int64_t tile) const {
    int64_t end = 0;
    for (int64_t i = 0; i < rows; i++) end = std::max(end, std::min(BK, ranges[i].end - tile * BK));
    return std::min(BK, (end + W - 1) / W * W);
  }
};

// Scores outside the visible range, among the first `count`, become −∞.
static inline void hideOutside(float* row, Range inside, int64_t count) {
  IntegerVector lane;
  for (int i = 0; i < W; i++) lane[i] = i;
  for (int64_t j = 0; j < count; j += W) {
    if (j >= inside.begin && j + W <= inside.end) continue;
    const int32_t from = static_cast<int32_t>(inside.begin - j), to = static_cast<int32_t>(inside.end - j);
    store(row + j, select((lane >= from) & (lane < to), load(row + j), broadcast(-INFINITY)));
  }
}

}  // namespace tilth
