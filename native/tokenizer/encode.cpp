// Byte-level BPE encoding. Reads the text once; recurring pieces come out of a cache of 64-byte lines, the others are
// merged in order of rank: by scanning while they are short, with a heap (n log n) when they are long.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <queue>
#include <thread>
#include <vector>

#include "pieces.h"

namespace tilth {
const uint8_t* classes = nullptr;
}

namespace {

using namespace tilth;

constexpr int kCacheBits = 16, kKeyBytes = 20, kLineIds = 10, kShort = 48;
constexpr uint32_t kNoRank = UINT32_MAX;

// One cached piece of at most 20 bytes and 10 tokens. bytes 0 = free.
struct alignas(64) Line {
  uint64_t key0, key1;
  uint32_t key2;
  uint8_t bytes, count;
  int32_t ids[kLineIds];
};

struct Merge {
  uint64_t pair;
  uint32_t rank;
  int32_t merged;
};

// What one thread needs: its cache and room for a piece that is being merged.
struct Lane {
  std::vector<Line> lines = std::vector<Line>(size_t{1} << kCacheBits);
  std::vector<int32_t> ids, next, previous;
  std::vector<uint32_t> ranks;
  std::vector<int32_t> merged;
  std::vector<uint64_t> heap;
};

struct Encoder {
  int pattern;
  bool ignore_merges;
  int32_t byte_ids[256];
  // Open addressing; pair UINT64_MAX = free.
  std::vector<Merge> merges;
  uint64_t merge_mask;
  // Ids of whole pieces, for vocabularies that look them up before merging; -1 = free.
  std::vector<int32_t> whole;
  std::vector<int64_t> offsets;
  std::vector<uint8_t> bytes;
  std::vector<Lane*> lanes;

  ~Encoder() {
    for (Lane* lane : lanes) delete lane;
  }

  static uint64_t pair_of(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }

  const Merge* find(int32_t left, int32_t right) const {
    const uint64_t pair = pair_of(left, right);
    for (uint64_t slot = mix(pair, 0xe7037ed1a0b428dbu) & merge_mask;; slot = (slot + 1) & merge_mask) {
      const Merge& merge = merges[slot];
      if (merge.pair == pair) return &merge;
      if (merge.pair == UINT64_MAX) return nullptr;
    }
  }

  int32_t find_whole(const uint8_t* piece, int64_t length) const {
    const uint64_t mask = whole.size() - 1;
    for (uint64_t slot = hash_bytes(piece, length) & mask;; slot = (slot + 1) & mask) {
      const int32_t id = whole[slot];
      if (id < 0) return -1;
      if (offsets[id + 1] - offsets[id] == length && std::memcmp(&bytes[offsets[id]], piece, length) == 0) return id;
    }
  }

  // Both leave the tokens in lane.ids and return how many.
  int64_t merge_short(Lane& lane, const uint8_t* piece, int64_t length) const {
    int32_t ids[kShort + 1], results[kShort + 1];
    uint32_t ranks[kShort + 1];
    const auto rank_at = [&](int64_t at, int64_t count) {
      const Merge* merge = at + 1 < count ? find(ids[at], ids[at + 1]) : nullptr;
      ranks[at] = merge ? merge->rank : kNoRank;
      results[at] = merge ? merge->merged : -1;
    };
    int64_t count = length;
    for (int64_t i = 0; i < count; i++) ids[i] = byte_ids[piece[i]];
    for (int64_t i = 0; i < count; i++) rank_at(i, count);
    while (count > 1) {
      int64_t best = 0;
      for (int64_t i = 1; i + 1 < count; i++) {
        if (ranks[i] < ranks[best]) best = i;
      }
      if (ranks[best] == kNoRank) break;
      ids[best] = results[best];
      count--;
      for (int64_t i = best + 1; i < count; i++) {
        ids[i] = ids[i + 1];
        ranks[i] = ranks[i + 1];
        results[i] = results[i + 1];
      }
      rank_at(best, count);
      if (best > 0) rank_at(best - 1, count);
    }
    if (static_cast<int64_t>(lane.ids.size()) < count) lane.ids.resize(count);
    std::copy(ids, ids + count, lane.ids.begin());
    return count;
  }

  int64_t merge_long(Lane& lane, const uint8_t* piece, int64_t length) const {
    auto& [lines, ids, next, previous, ranks, merged, heap] = lane;
    (void)lines;
    for (auto* array : {&ids, &next, &previous, &merged}) array->resize(length);
    ranks.resize(length);
    heap.clear();
    const auto later = std::greater<uint64_t>();
    const auto consider = [&](int64_t at) {
      const Merge* merge = next[at] < length ? find(ids[at], ids[next[at]]) : nullptr;
      ranks[at] = merge ? merge->rank : kNoRank;
      if (merge == nullptr) return;
      merged[at] = merge->merged;
      heap.push_back(static_cast<uint64_t>(merge->rank) << 32 | static_cast<uint64_t>(at));
      std::push_heap(heap.begin(), heap.end(), later);
    };
    for (int64_t i = 0; i < length; i++) {
      ids[i] = byte_ids[piece[i]];
      next[i] = static_cast<int32_t>(i + 1);
      previous[i] = static_cast<int32_t>(i - 1);
    }
    for (int64_t i = 0; i < length; i++) consider(i);
    while (!heap.empty()) {
      const uint64_t top = heap.front();
      std::pop_heap(heap.begin(), heap.end(), later);
      heap.pop_back();
      const int64_t at = top & UINT32_MAX;
      // Stale where either side has merged meanwhile.
      if (ranks[at] != top >> 32) continue;
      const int64_t second = next[at];
      ids[at] = merged[at];
      ranks[second] = kNoRank;
      ids[second] = -1;
      next[at] = next[second];
      if (next[at] < length) previous[next[at]] = static_cast<int32_t>(at);
      consider(at);
      if (previous[at] >= 0) consider(previous[at]);
    }
    int64_t count = 0;
    for (int64_t i = 0; i < length; i = next[i]) ids[count++] = ids[i];
    return count;
  }

  int64_t merge(Lane& lane, const uint8_t* piece, int64_t length) const {
    if (lane.ids.empty()) lane.ids.resize(kShort);
    if (ignore_merges) {
      lane.ids[0] = find_whole(piece, length);
      if (lane.ids[0] >= 0) return 1;
    }
    return length <= kShort ? merge_short(lane, piece, length) : merge_long(lane, piece, length);
  }

  // The tokens of a text to `out`, at most one a byte. 32 bytes after the text must be readable.
  int64_t encode(Lane& lane, const uint8_t* text, int64_t length, int32_t* out) const {
    int32_t* to = out;
    for_each_piece(pattern, text, text + length, [&](const uint8_t* piece, int64_t bytes) {
      if (bytes > kKeyBytes) {
        const int64_t count = merge(lane, piece, bytes);
        std::copy(lane.ids.begin(), lane.ids.begin() + count, to);
        to += count;
        return;
      }
      uint64_t key0, key1 = 0;
      uint32_t key2 = 0;
      std::memcpy(&key0, piece, 8);
      if (bytes < 8) {
        key0 &= (uint64_t{1} << (8 * bytes)) - 1;
      } else if (bytes > 8) {
        std::memcpy(&key1, piece + 8, 8);
        if (bytes < 16) {
          key1 &= (uint64_t{1} << (8 * (bytes - 8))) - 1;
        } else if (bytes > 16) {
          std::memcpy(&key2, piece + 16, 4);
          if (bytes < 20) key2 &= (uint32_t{1} << (8 * (bytes - 16))) - 1;
        }
      }
      const uint64_t hash = mix(key0 ^ 0x9e3779b97f4a7c15u, key1 ^ 0xe7037ed1a0b428dbu ^ (static_cast<uint64_t>(key2) << 29) ^ bytes);
      Line& line = lane.lines[hash >> (64 - kCacheBits)];
      if (line.bytes == bytes && line.key0 == key0 && line.key1 == key1 && line.key2 == key2) {
        to[0] = line.ids[0];
        for (int i = 1; i < line.count; i++) to[i] = line.ids[i];
        to += line.count;
        return;
      }
      const int64_t count = merge(lane, piece, bytes);
      std::copy(lane.ids.begin(), lane.ids.begin() + count, to);
      to += count;
      if (count > kLineIds) return;
      line.key0 = key0;
      line.key1 = key1;
      line.key2 = key2;
      line.bytes = static_cast<uint8_t>(bytes);
      line.count = static_cast<uint8_t>(count);
      std::copy(lane.ids.begin(), lane.ids.begin() + count, line.ids);
    });
    return to - out;
  }
};

}  // namespace

// The classes of all code points; kept as they are, so they must outlive the library's use.
TILTH_EXPORT void tilth_tokenizer_classes(const uint8_t* table) {
  static std::vector<uint8_t> copy;
  if (copy.empty()) copy.assign(table, table + 0x110000);
  tilth::classes = copy.data();
}

// Ends of the pieces of a text, in bytes from its start; returns how many there are (at most `length`).
TILTH_EXPORT int64_t tilth_tokenizer_pieces(int32_t pattern, const uint8_t* text, int64_t length, int32_t* ends) {
  int64_t count = 0;
  tilth::for_each_piece(pattern, text, text + length, [&](const uint8_t* piece, int64_t bytes) {
    ends[count++] = static_cast<int32_t>(piece - text + bytes);
  });
  return count;
}

// tokens: bytes of token i from offsets[i] to offsets[i + 1]. Of equal pairs the first merge counts.
TILTH_EXPORT void* tilth_tokenizer_create(int32_t pattern, int32_t ignore_merges, const int32_t* byte_ids, int64_t tokens,
                                          const int64_t* offsets, const uint8_t* bytes, const uint8_t* special,
                                          int64_t merges, const int32_t* left, const int32_t* right,
                                          const int32_t* rank, const int32_t* merged) {
  Encoder* encoder = new Encoder();
  encoder->pattern = pattern;
  encoder->ignore_merges = ignore_merges != 0;
  std::copy(byte_ids, byte_ids + 256, encoder->byte_ids);
  uint64_t slots = 16;
  while (slots < static_cast<uint64_t>(merges) * 2) slots *= 2;
  encoder->merges.assign(slots, Merge{UINT64_MAX, 0, 0});
  encoder->merge_mask = slots - 1;
  for (int64_t i = 0; i < merges; i++) {
    const uint64_t pair = Encoder::pair_of(left[i], right[i]);
    uint64_t slot = tilth::mix(pair, 0xe7037ed1a0b428dbu) & encoder->merge_mask;
    while (encoder->merges[slot].pair != UINT64_MAX && encoder->merges[slot].pair != pair) slot = (slot + 1) & encoder->merge_mask;
    if (encoder->merges[slot].pair == UINT64_MAX) encoder->merges[slot] = {pair, static_cast<uint32_t>(rank[i]), merged[i]};
  }
  if (encoder->ignore_merges) {
    slots = 16;
    while (slots < static_cast<uint64_t>(tokens) * 2) slots *= 2;
    encoder->whole.assign(slots, -1);
    encoder->offsets.assign(offsets, offsets + tokens + 1);
    encoder->bytes.assign(bytes, bytes + offsets[tokens]);
    for (int64_t id = 0; id < tokens; id++) {
      if (special[id]) continue;
      uint64_t slot = tilth::hash_bytes(bytes + offsets[id], offsets[id + 1] - offsets[id]) & (slots - 1);
      while (encoder->whole[slot] >= 0) slot = (slot + 1) & (slots - 1);
      encoder->whole[slot] = static_cast<int32_t>(id);
    }
  }
  return encoder;
}

TILTH_EXPORT void tilth_tokenizer_free(void* encoder) { delete static_cast<Encoder*>(encoder); }

// Document d lies from offsets[d] to offsets[d + 1]; its tokens go to ids + offsets[d], their number to counts[d]. At least
// 32 bytes after the last document must be readable. What is written does not depend on the number of threads.
TILTH_EXPORT void tilth_tokenizer_encode(void* handle, const uint8_t* text, const int64_t* offsets, int64_t documents,
                                         int32_t* ids, int32_t* counts, int32_t threads) {
  Encoder& encoder = *static_cast<Encoder*>(handle);
  const int64_t workers = std::max<int64_t>(1, std::min<int64_t>(threads, documents));
  while (static_cast<int64_t>(encoder.lanes.size()) < workers) encoder.lanes.push_back(new Lane());
  std::atomic<int64_t> taken{0};
  const auto work = [&](Lane& lane) {
    for (int64_t d = taken++; d < documents; d = taken++) {
      counts[d] = static_cast<int32_t>(
          encoder.encode(lane, text + offsets[d], offsets[d + 1] - offsets[d], ids + offsets[d]));
    }
  };
  std::vector<std::thread> others;
  for (int64_t worker = 1; worker < workers; worker++) others.emplace_back(work, std::ref(*encoder.lanes[worker]));
  work(*encoder.lanes[0]);
  for (std::thread& other : others) other.join();
}
