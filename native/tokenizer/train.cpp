// BPE training: counting pieces (one pass over the text, memory bounded by the number of distinct pieces) and merging the
// most frequent pair again and again, touching only the words that hold it. Counts are 64 bits wide.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "pieces.h"

namespace {

using namespace tilth;

// Distinct pieces with their counts: open addressing over one arena of bytes.
struct Counts {
  struct Piece {
    uint64_t hash, count;
    int64_t offset;
    int64_t length;
  };
  std::vector<Piece> pieces;
  std::vector<uint8_t> arena;
  std::vector<int32_t> slots = std::vector<int32_t>(1 << 12, -1);

  void clear() {
    pieces.clear();
    arena.clear();
    std::fill(slots.begin(), slots.end(), -1);
  }

  void add(const uint8_t* bytes, int64_t length, uint64_t count) { add(bytes, length, count, hash_bytes(bytes, length)); }

  void add(const uint8_t* bytes, int64_t length, uint64_t count, uint64_t hash) {
    uint64_t mask = slots.size() - 1;
    uint64_t slot = hash & mask;
    for (; slots[slot] >= 0; slot = (slot + 1) & mask) {
      Piece& piece = pieces[slots[slot]];
      if (piece.hash == hash && piece.length == length && std::memcmp(&arena[piece.offset], bytes, length) == 0) {
        piece.count += count;
        return;
      }
    }
    slots[slot] = static_cast<int32_t>(pieces.size());
    pieces.push_back({hash, count, static_cast<int64_t>(arena.size()), length});
    arena.insert(arena.end(), bytes, bytes + length);
    if (pieces.size() * 2 > slots.size()) rehash(slots.size() * 2);
  }

  void rehash(size_t size) {
    slots.assign(size, -1);
    for (size_t i = 0; i < pieces.size(); i++) {
      uint64_t slot = pieces[i].hash & (size - 1);
      while (slots[slot] >= 0) slot = (slot + 1) & (size - 1);
      slots[slot] = static_cast<int32_t>(i);
    }
  }

  std::string_view text(const Piece& piece) const {
    return {reinterpret_cast<const char*>(arena.data()) + piece.offset, static_cast<size_t>(piece.length)};
  }

  // Most frequent first, equal ones by their bytes.
  std::vector<Piece> sorted() const {
    std::vector<Piece> all = pieces;
    std::sort(all.begin(), all.end(), [&](const Piece& a, const Piece& b) {
      return a.count != b.count ? a.count > b.count : text(a) < text(b);
    });
    return all;
  }

  // Forgets all but the `kept` most frequent pieces.
  void prune(size_t kept) {
    Counts smaller;
    const std::vector<Piece> all = sorted();
    for (size_t i = 0; i < kept && i < all.size(); i++) {
      smaller.add(&arena[all[i].offset], all[i].length, all[i].count, all[i].hash);
    }
    *this = std::move(smaller);
  }
};

struct Counter {
  int pattern;
  int64_t limit;
  Counts all;
  std::vector<Counts> lanes;
};

struct Pair {
  uint64_t count = 0;
  uint64_t key = 0;
  // Words in which the pair was seen; some may have lost it since, some may stand here twice.
  std::vector<int32_t> words;
};

struct Entry {
  uint64_t count, key;
  int32_t pair;
  // Of the heap: the higher count first, then the lower ids.
  bool operator<(const Entry& other) const { return count != other.count ? count < other.count : key > other.key; }
};

struct Merger {
  std::vector<int32_t> symbols, lengths, stamps;
  std::vector<int64_t> starts;
  std::vector<uint64_t> counts;
  std::vector<Pair> pairs;
  std::vector<int32_t> slots;
  std::vector<Entry> heap;
  std::vector<int32_t> touched;
  std::vector<std::string> tokens;
  std::unordered_map<std::string, int32_t> identities;
  uint64_t minimum;
  int64_t prefix;
  int32_t step = 0;

  int32_t pair_index(uint64_t key) {
    const uint64_t mask = slots.size() - 1;
    uint64_t slot = mix(key, 0xe7037ed1a0b428dbu) & mask;
    for (; slots[slot] >= 0; slot = (slot + 1) & mask) {
      if (pairs[slots[slot]].key == key) return slots[slot];
    }
    const int32_t index = static_cast<int32_t>(pairs.size());
    slots[slot] = index;
    pairs.emplace_back();
    pairs.back().key = key;
    if (pairs.size() * 2 > slots.size()) {
      const uint64_t wider = slots.size() * 2 - 1;
      slots.assign(wider + 1, -1);
      for (size_t i = 0; i < pairs.size(); i++) {
        uint64_t at = mix(pairs[i].key, 0xe7037ed1a0b428dbu) & wider;
        while (slots[at] >= 0) at = (at + 1) & wider;
        slots[at] = static_cast<int32_t>(i);
      }
    }
    return index;
  }

  void add(int32_t left, int32_t right, uint64_t count, int32_t word) {
    const int32_t index = pair_index(static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right));
    Pair& pair = pairs[index];
    pair.count += count;
    if (pair.words.empty() || pair.words.back() != word) pair.words.push_back(word);
    touched.push_back(index);
  }

  void subtract(int32_t left, int32_t right, uint64_t count) {
    pairs[pair_index(static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right))].count -= count;
  }

  // Pairs that grew come into the heap anew; those that shrank are corrected when they come up.
  void queue_touched() {
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    for (int32_t index : touched) push(index);
    touched.clear();
  }

  void push(int32_t index) {
    if (pairs[index].count < minimum || pairs[index].count == 0) return;
    heap.push_back({pairs[index].count, pairs[index].key, index});
    std::push_heap(heap.begin(), heap.end());
  }

  void start() {
    for (size_t word = 0; word < starts.size(); word++) {
      const int32_t* at = &symbols[starts[word]];
      for (int32_t i = 0; i + 1 < lengths[word]; i++) add(at[i], at[i + 1], counts[word], static_cast<int32_t>(word));
    }
    queue_touched();
  }

  void merge_in_word(int32_t word, int32_t left, int32_t right, int32_t merged) {
    int32_t* at = &symbols[starts[word]];
    const int32_t length = lengths[word];
    const uint64_t count = counts[word];
    int32_t to = 0;
    for (int32_t i = 0; i < length;) {
      if (i + 1 >= length || at[i] != left || at[i + 1] != right) {
        at[to++] = at[i++];
        continue;
      }
      if (to > 0) {
        subtract(at[to - 1], left, count);
        add(at[to - 1], merged, count, word);
      }
      const int32_t after = i + 2;
      if (after < length) {
        subtract(right, at[after], count);
        add(merged, at[after], count, word);
      }
      at[to++] = merged;
      i = after;
    }
    lengths[word] = to;
  }

  // The next merge; false where no pair is frequent enough.
  bool next(int32_t& left, int32_t& right, int32_t& merged) {
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end());
      const Entry top = heap.back();
      heap.pop_back();
      if (pairs[top.pair].count != top.count) {
        if (pairs[top.pair].count < top.count) push(top.pair);
        continue;
      }
      left = static_cast<int32_t>(top.key >> 32);
      right = static_cast<int32_t>(top.key & UINT32_MAX);
      const std::string joined = tokens[left] + tokens[right].substr(prefix);
      const auto [found, fresh] = identities.emplace(joined, static_cast<int32_t>(tokens.size()));
      // Two merges can give the same text; they are one token.
      if (fresh) tokens.push_back(joined);
      merged = found->second;
      step++;
      std::vector<int32_t> words;
      words.swap(pairs[top.pair].words);
      for (int32_t word : words) {
        if (stamps[word] == step) continue;
        stamps[word] = step;
        merge_in_word(word, left, right, merged);
      }
      pairs[top.pair].count = 0;
      pairs[top.pair].words.clear();
      queue_touched();
      return true;
    }
    return false;
  }
};

}  // namespace

TILTH_EXPORT void* tilth_counter_create(int32_t pattern, int64_t limit) {
  Counter* counter = new Counter();
  counter->pattern = pattern;
  counter->limit = limit;
  return counter;
}

TILTH_EXPORT void tilth_counter_free(void* counter) { delete static_cast<Counter*>(counter); }

// Counts the pieces of a batch of documents (see tilth_tokenizer_encode). Beyond the limit of distinct pieces the rarer
// half of it is forgotten, after a whole batch, so that the result does not depend on the number of threads.
TILTH_EXPORT void tilth_counter_feed(void* handle, const uint8_t* text, const int64_t* offsets, int64_t documents,
                                     int32_t threads) {
  Counter& counter = *static_cast<Counter*>(handle);
  const int64_t workers = std::max<int64_t>(1, std::min<int64_t>(threads, documents));
  const auto count = [&](Counts& counts, int64_t d) {
    tilth::for_each_piece(counter.pattern, text + offsets[d], text + offsets[d + 1],
                          [&](const uint8_t* piece, int64_t bytes) { counts.add(piece, bytes, 1); });
  };
  if (workers == 1) {
    for (int64_t d = 0; d < documents; d++) count(counter.all, d);
  } else {
    if (static_cast<int64_t>(counter.lanes.size()) < workers) counter.lanes.resize(workers);
    std::atomic<int64_t> taken{0};
    const auto work = [&](Counts& counts) {
      for (int64_t d = taken++; d < documents; d = taken++) count(counts, d);
    };
    std::vector<std::thread> others;
    for (int64_t worker = 1; worker < workers; worker++) others.emplace_back(work, std::ref(counter.lanes[worker]));
    work(counter.lanes[0]);
    for (std::thread& other : others) other.join();
    for (Counts& lane : counter.lanes) {
      for (const auto& piece : lane.pieces) counter.all.add(&lane.arena[piece.offset], piece.length, piece.count, piece.hash);
      lane.clear();
    }
  }
  if (static_cast<int64_t>(counter.all.pieces.size()) > counter.limit) counter.all.prune(counter.limit / 2);
}

// Distinct pieces, and their bytes in all.
TILTH_EXPORT int64_t tilth_counter_pieces(void* counter) { return static_cast<Counter*>(counter)->all.pieces.size(); }
TILTH_EXPORT int64_t tilth_counter_bytes(void* counter) { return static_cast<Counter*>(counter)->all.arena.size(); }

// All pieces, most frequent first, equal ones by their bytes: piece i from offsets[i] to offsets[i + 1].
TILTH_EXPORT void tilth_counter_take(void* handle, uint8_t* bytes, int64_t* offsets, double* counts) {
  const Counts& all = static_cast<Counter*>(handle)->all;
  int64_t at = 0, index = 0;
  offsets[0] = 0;
  for (const auto& piece : all.sorted()) {
    std::memcpy(bytes + at, &all.arena[piece.offset], piece.length);
    at += piece.length;
    counts[index++] = static_cast<double>(piece.count);
    offsets[index] = at;
  }
}

// words: symbols of word w from starts[w] to starts[w + 1]. Token i is the bytes from offsets[i] to offsets[i + 1]; the right
// side of a merge loses its first `prefix` bytes ("##" of WordPiece).
TILTH_EXPORT void* tilth_merger_create(const int32_t* symbols, const int64_t* starts, const double* counts, int64_t words,
                                       int64_t tokens, const int64_t* offsets, const uint8_t* bytes, int64_t prefix,
                                       double minimum) {
  Merger* merger = new Merger();
  merger->symbols.assign(symbols, symbols + starts[words]);
  merger->starts.assign(starts, starts + words);
  merger->stamps.assign(words, 0);
  for (int64_t w = 0; w < words; w++) {
    merger->lengths.push_back(static_cast<int32_t>(starts[w + 1] - starts[w]));
    merger->counts.push_back(static_cast<uint64_t>(counts[w]));
  }
  for (int64_t i = 0; i < tokens; i++) {
    merger->tokens.emplace_back(reinterpret_cast<const char*>(bytes) + offsets[i], offsets[i + 1] - offsets[i]);
    merger->identities.emplace(merger->tokens.back(), static_cast<int32_t>(i));
  }
  merger->slots.assign(1 << 16, -1);
  merger->prefix = prefix;
  merger->minimum = static_cast<uint64_t>(minimum);
  merger->start();
  return merger;
}

TILTH_EXPORT void tilth_merger_free(void* merger) { delete static_cast<Merger*>(merger); }

// Merges until the vocabulary has `vocabulary` tokens or `most` merges are done; returns the merges written.
TILTH_EXPORT int64_t tilth_merger_run(void* handle, int64_t most, int64_t vocabulary, int32_t* left, int32_t* right,
                                      int32_t* merged) {
  Merger& merger = *static_cast<Merger*>(handle);
  int64_t done = 0;
  while (done < most && static_cast<int64_t>(merger.tokens.size()) < vocabulary) {
    if (!merger.next(left[done], right[done], merged[done])) break;
    done++;
  }
  return done;
}
