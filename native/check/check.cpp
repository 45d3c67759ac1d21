// check.cpp: runs, compares and times the operations of the self-check.
#include "check/check.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "abi/error.h"

namespace cria::check {
namespace {

// SplitMix64 of a counter.
uint64_t mix(uint64_t z) {
  z = (z + 1) * 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

const Operation *operation(int32_t index) {
  const auto i = static_cast<size_t>(index);
  return i < operations().size() ? &operations()[i] : nullptr;
}

using Result = std::vector<std::vector<float>>;

Result results(cria_queue *queue, const Operation &what, std::vector<double> *tolerances) {
  Session session(queue);
  const Problem problem = what.make(session, Size::small);
  problem.run();
  Result all;
  for (const Problem::Output &out : problem.outputs) {
    all.emplace_back(static_cast<size_t>(out.n));
    succeed(cria_download(queue, out.n * 4, out.data, all.back().data()));
    if (tolerances) tolerances->push_back(out.tolerance);
  }
  return all;
}

// The CPU device of the comparison.
struct Cpu {
  Cpu() {
    succeed(cria_device_open("cpu", 0, &device));
    succeed(cria_queue_create(device, &queue));
  }
  ~Cpu() {
    cria_queue_destroy(queue);
    cria_device_close(device);
  }
  cria_device *device = nullptr;
  cria_queue *queue = nullptr;
};

// Errors against the root of the mean square: of the whole, and, ten times as much, of the worst element.
double error_of(const std::vector<float> &got, const std::vector<float> &want, double tolerance) {
  double squares = 0, size = 0, most = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double d = static_cast<double>(got[i]) - static_cast<double>(want[i]);
    if (std::isnan(d)) return INFINITY;
    squares += d * d;
    size += static_cast<double>(want[i]) * static_cast<double>(want[i]);
    most = std::max(most, std::fabs(d));
  }
  const double n = static_cast<double>(want.size()), rms = std::sqrt(size / n);
  const double allowed = tolerance * std::max(rms, 1e-30);
  return std::max(std::sqrt(squares / n) / allowed, most / (10 * allowed));
}

}  // namespace

const std::vector<Operation> &operations() {
  static const std::vector<Operation> all = [] {
    std::vector<Operation> list;
    for (const auto *some : {&kProducts, &kStreams, &kElementary})
      list.insert(list.end(), some->begin(), some->end());
    return list;
  }();
  return all;
}

void succeed(cria_status status) {
  if (status != CRIA_OK) throw Error{status, cria_last_error()};
}

const char *operation_name(int32_t index) {
  const Operation *what = operation(index);
  return what ? what->name : nullptr;
}

double worst_error(cria_queue *queue, int32_t index) {
  const Operation &what = *operation(index);
  std::vector<double> tolerances;
  const Result got = results(queue, what, &tolerances);
  const Cpu cpu;
  const Result want = results(cpu.queue, what, nullptr);
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i)
    worst = std::max(worst, error_of(got[i], want[i], tolerances[i]));
  return worst;
}

Timing time(cria_queue *queue, int32_t index, int32_t repeats) {
  Session session(queue);
  const Problem problem = operation(index)->make(session, Size::model);
  problem.run();
  succeed(cria_queue_synchronize(queue));
  std::vector<double> seconds;
  for (int32_t i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    problem.run();
    succeed(cria_queue_synchronize(queue));
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    seconds.push_back(passed.count());
  }
  std::nth_element(seconds.begin(), seconds.begin() + repeats / 2, seconds.end());
  return {seconds[static_cast<size_t>(repeats / 2)], problem.bytes, problem.flops};
}

Session::Session(cria_queue *queue) : device_(nullptr), queue_(queue) {
  // Every handle begins with its device; cria.h gives no other way from a queue to it.
  std::memcpy(&device_, queue, sizeof(cria_device *));
}

Session::~Session() {
  cria_queue_synchronize(queue_);
  for (cria_kv *cache : caches_) cria_kv_free(cache);
  for (cria_nf4 *matrix : matrices_) cria_nf4_free(matrix);
  for (void *address : addresses_) cria_free(device_, address);
}

void *Session::memory(int64_t bytes, const void *host) {
  void *address = nullptr;
  succeed(cria_alloc(device_, bytes, &address));
  addresses_.push_back(address);
  succeed(cria_upload(queue_, bytes, host, address));
  return address;
}

float *Session::floats(int64_t n, float scale) {
  std::vector<float> x(static_cast<size_t>(n));
  for (float &v : x) {
    v = scale * (static_cast<float>(mix(drawn_++) >> 40) * 0x1p-23f - 1);
  }
  return static_cast<float *>(memory(n * 4, x.data()));
}

uint16_t *Session::halves(int64_t n, float scale) {
  float *wide = floats(n, scale);
  std::vector<uint16_t> none(static_cast<size_t>(n));
  auto *to = static_cast<uint16_t *>(memory(n * 2, none.data()));
  succeed(cria_cast(queue_, n, CRIA_F32, wide, CRIA_BF16, to));
  return to;
}

int32_t *Session::integers(int64_t n, int32_t below) {
  std::vector<int32_t> x(static_cast<size_t>(n));
  for (int32_t &v : x) v = static_cast<int32_t>(mix(drawn_++) % static_cast<uint64_t>(below));
  return integers(x);
}

int32_t *Session::integers(const std::vector<int32_t> &values) {
  return static_cast<int32_t *>(memory(static_cast<int64_t>(values.size()) * 4, values.data()));
}

int32_t *Session::count_up(int64_t n) {
  std::vector<int32_t> x(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int32_t>(i);
  return integers(x);
}

float *Session::zeros(int64_t n) {
  const std::vector<float> x(static_cast<size_t>(n));
  return static_cast<float *>(memory(n * 4, x.data()));
}

uint8_t *Session::zero_bytes(int64_t n) {
  const std::vector<uint8_t> x(static_cast<size_t>(n));
  return static_cast<uint8_t *>(memory(n, x.data()));
}

cria_nf4 *Session::nf4(int64_t n, int64_t k) {
  cria_nf4 *matrix = nullptr;
  succeed(cria_nf4_quantize(queue_, n, k, 64, 1, CRIA_F32, floats(n * k, 0.05f), &matrix));
  matrices_.push_back(matrix);
  return matrix;
}

cria_kv *Session::cache(int64_t capacity, int64_t kv_heads, int64_t d) {
  cria_kv *cache = nullptr;
  succeed(cria_kv_create(device_, capacity, kv_heads, d, CRIA_BF16, &cache));
  caches_.push_back(cache);
  return cache;
}

}  // namespace cria::check
