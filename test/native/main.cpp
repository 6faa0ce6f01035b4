// driver [--list] [--results <file>] [entry …]: runs all entries, or those named, on 1, 2 and 4 threads. `--list` prints their
// names. `--results` writes what they kept: name length, name, count (u32), then the floats, entry by entry.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "harness.h"

namespace {

struct Entry {
  const char* name;
  Call call;
};
std::vector<Entry>& entries() {
  static std::vector<Entry> all;
  return all;
}

const char* running = "";
FILE* results = nullptr;

void write(const void* data, size_t bytes) {
  if (std::fwrite(data, 1, bytes, results) != bytes) std::abort();
}

}  // namespace

bool keeping = true;
uint32_t sequence = 0;

bool enter(const char* name, Call call) {
  entries().push_back({name, call});
  return true;
}

void keep(const float* values, int64_t count) {
  if (!results || !keeping) return;
  const uint32_t length = static_cast<uint32_t>(std::strlen(running)), floats = static_cast<uint32_t>(count);
  write(&length, 4);
  write(running, length);
  write(&floats, 4);
  write(values, static_cast<size_t>(count) * 4);
}

float next() {
  sequence = sequence * 1664525u + 1013904223u;
  return static_cast<float>(sequence >> 8) / 8388608.0f - 1.0f;
}

int main(int count, char** words) {
  std::vector<std::string> wanted;
  for (int i = 1; i < count; i++) {
    const std::string word = words[i];
    if (word == "--list") {
      for (const Entry& entry : entries()) std::printf("%s\n", entry.name);
      return 0;
    }
    if (word == "--results" && i + 1 < count) results = std::fopen(words[++i], "wb");
    else wanted.push_back(word);
  }
  int called = 0;
  for (const Entry& entry : entries()) {
    bool chosen = wanted.empty();
    for (const std::string& name : wanted) chosen = chosen || name == entry.name;
    if (!chosen) continue;
    running = entry.name;
    for (int threads : {1, 2, 4}) {
      sequence = 12345;
      entry.call(threads);
    }
    called++;
  }
  if (results && std::fclose(results) != 0) return 1;
  std::printf("%d entries ran\n", called);
  return called > 0 ? 0 : 1;
}
