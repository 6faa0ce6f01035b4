// The few MPI calls that training needs, behind a plain C ABI. Compiled with the system's mpicc, so that constants, types and
// handles are those of the MPI at hand (Open MPI's and MPICH's differ). Errors end all ranks: MPI's default.
// The C++ bindings that old MPIs declare would have to be linked.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#include <stdint.h>
#include <string.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr int64_t kChunk = int64_t{1} << 28;  // MPI counts are ints
MPI_Op bf16Sum = MPI_OP_NULL;

float widen(uint16_t bits) {
  uint32_t whole = uint32_t{bits} << 16;
  float value;
  memcpy(&value, &whole, 4);
  return value;
}

// To nearest even; a NaN stays one.
uint16_t narrow(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

void addBfloat16(void* from, void* into, int* length, MPI_Datatype*) {
  const uint16_t* a = static_cast<const uint16_t*>(from);
  uint16_t* b = static_cast<uint16_t*>(into);
  for (int i = 0; i < *length; i++) b[i] = narrow(widen(a[i]) + widen(b[i]));
}

// Reductions that run while the caller computes: MPI moves nothing on unless it is called, so that a thread of our own waits
// in it. While any is on its way only that thread calls MPI; the caller waits for it before it does (MPI_THREAD_SERIALIZED).
struct Job {
  float* data;
  int64_t count;
  bool bf16;
};
std::mutex mutex;
std::condition_variable changed;
std::deque<Job> jobs;
bool busy = false, leaving = false;
std::thread* reducer = nullptr;

}  // namespace

EXPORT void tilth_mpi_all_reduce(float* data, int64_t count);
EXPORT void tilth_mpi_all_reduce_bf16(float* data, int64_t count, uint16_t* work, int64_t workCount);

namespace {

void reduceJobs() {
  std::vector<uint16_t> work;
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    changed.wait(lock, [] { return leaving || !jobs.empty(); });
    if (jobs.empty()) return;
    const Job job = jobs.front();
    jobs.pop_front();
    busy = true;
    lock.unlock();
    if (job.bf16) {
      if (static_cast<int64_t>(work.size()) < job.count) work.resize(job.count < kChunk ? job.count : kChunk);
      tilth_mpi_all_reduce_bf16(job.data, job.count, work.data(), static_cast<int64_t>(work.size()));
    } else {
      tilth_mpi_all_reduce(job.data, job.count);
    }
    lock.lock();
    busy = false;
    changed.notify_all();
  }
}

}  // namespace

// Starts MPI; it is called by one thread at a time. Returns 0, or MPI's error.
EXPORT int tilth_mpi_start() {
  int started = 0, provided = 0;
  MPI_Initialized(&started);
  if (!started) {
    int error = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
    if (error != MPI_SUCCESS) return error;
    MPI_Op_create(addBfloat16, 1, &bf16Sum);
  }
  return 0;
}

EXPORT int tilth_mpi_rank() {
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

EXPORT int tilth_mpi_size() {
  int size;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

// Sums [count] f32 over all ranks, in place. Every rank ends with the same bits.
EXPORT void tilth_mpi_all_reduce(float* data, int64_t count) {
  for (int64_t first = 0; first < count; first += kChunk) {
    int length = static_cast<int>(count - first < kChunk ? count - first : kChunk);
    MPI_Allreduce(MPI_IN_PLACE, data + first, length, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  }
}

// As above with half the traffic: addends and sums are rounded to bfloat16. `work` holds `workCount` 16-bit values.
EXPORT void tilth_mpi_all_reduce_bf16(float* data, int64_t count, uint16_t* work, int64_t workCount) {
  for (int64_t first = 0; first < count; first += workCount) {
    int64_t length = count - first < workCount ? count - first : workCount;
    for (int64_t i = 0; i < length; i++) work[i] = narrow(data[first + i]);
    MPI_Allreduce(MPI_IN_PLACE, work, static_cast<int>(length), MPI_UINT16_T, bf16Sum, MPI_COMM_WORLD);
    for (int64_t i = 0; i < length; i++) data[first + i] = widen(work[i]);
  }
}

// As the two above, in the background; [data] must be left alone until tilth_mpi_finish_all_reduces returns.
EXPORT void tilth_mpi_start_all_reduce(float* data, int64_t count, int bf16) {
  std::lock_guard<std::mutex> lock(mutex);
  if (!reducer) reducer = new std::thread(reduceJobs);
  jobs.push_back({data, count, bf16 != 0});
  changed.notify_all();
}

EXPORT void tilth_mpi_finish_all_reduces() {
  std::unique_lock<std::mutex> lock(mutex);
  changed.wait(lock, [] { return jobs.empty() && !busy; });
}

// Sums a few f64 over all ranks, in place: losses, counts.
EXPORT void tilth_mpi_sum(double* values, int count) {
  MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

// Rank `root`'s bytes to all.
EXPORT void tilth_mpi_broadcast(uint8_t* data, int64_t bytes, int root) {
  for (int64_t first = 0; first < bytes; first += kChunk) {
    int length = static_cast<int>(bytes - first < kChunk ? bytes - first : kChunk);
    MPI_Bcast(data + first, length, MPI_BYTE, root, MPI_COMM_WORLD);
  }
}

EXPORT void tilth_mpi_barrier() { MPI_Barrier(MPI_COMM_WORLD); }

// Ends all ranks at once.
EXPORT void tilth_mpi_abort(int code) { MPI_Abort(MPI_COMM_WORLD, code); }

EXPORT void tilth_mpi_finish() {
  if (reducer) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      leaving = true;
      changed.notify_all();
    }
    reducer->join();
    delete reducer;
    reducer = nullptr;
    leaving = false;
  }
  int finished = 0;
  MPI_Finalized(&finished);
  if (finished) return;
  MPI_Op_free(&bf16Sum);
  MPI_Finalize();
}
