// harness.h: the frame of the conformance suite: cases as data, device buffers with guards, bounds and the report.
//
// A case is a function of a Context. The suite runs every case on every tier of the CPU device (through
// CRIA_MAX_ISA), or on the device named on the command line. Expected values are float64; a check compares
// each element with a bound that the case derives. The first failures are printed with place and values.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cria.h"

namespace conformance {

// Unit roundoff of float32 and bfloat16.
constexpr double kEps = 1.0 / (1 << 24);
constexpr double kBf16Eps = 1.0 / (1 << 8);

// Factor of a float32 sum of n products against sum |a||b|: Higham & Mary (2019), a probabilistic bound
// lambda * sqrt(n) * u with lambda = 8, plus a few roundings for what surrounds the sum.
inline double sum_factor(int64_t n) { return (8.0 * std::sqrt(double(n)) + 4.0) * kEps; }

// SplitMix64: small, seeded, the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  double uniform() { return double(next() >> 11) * 0x1p-53; }
  float symmetric() { return float(2 * uniform() - 1); }  // [-1, 1)
  float normal() {
    return float(std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform()));
  }
  int64_t below(int64_t n) { return int64_t(next() % uint64_t(n)); }
  std::vector<float> normals(int64_t n, double scale = 1) {
    std::vector<float> x(static_cast<size_t>(n));
    for (auto &v : x) v = float(normal() * scale);
    return x;
  }
  // Integers in [-limit, limit]: sums of their products are exact in float32 and bf16.
  std::vector<float> integers(int64_t n, int limit) {
    std::vector<float> x(static_cast<size_t>(n));
    for (auto &v : x) v = float(below(2 * limit + 1) - limit);
    return x;
  }

 private:
  uint64_t state_;
};

inline uint16_t to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return uint16_t((bits >> 16) | 0x40);
  bits += 0x7FFFu + ((bits >> 16) & 1);
  return uint16_t(bits >> 16);
}
inline float from_bf16(uint16_t half) {
  uint32_t bits = uint32_t(half) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline float round_bf16(float value) { return from_bf16(to_bf16(value)); }

struct Context;

// Device memory with a guard of 64 bytes at each side; a destroyed guard fails the case.
class Buffer {
 public:
  Buffer(Context &context, int64_t bytes);
  ~Buffer();
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  void *address() const { return static_cast<char *>(base_) + kGuard + skew_; }
  int64_t bytes() const { return bytes_; }
  void check_guards();

 private:
  static constexpr int64_t kGuard = 64;
  Context &context_;
  void *base_ = nullptr;
  int64_t bytes_;
  int64_t skew_;
};

template <class T>
class Array : public Buffer {
 public:
  // Not initialised: filled with a pattern that is a NaN as float32.
  Array(Context &context, int64_t n) : Buffer(context, n * int64_t(sizeof(T))), n_(n) {}
  Array(Context &context, const std::vector<T> &values);
  T *get() const { return static_cast<T *>(address()); }
  operator T *() const { return get(); }
  std::vector<T> values() const;

 private:
  int64_t n_;
  Context *context_ = nullptr;
};

struct NamedCase;

struct Context {
  cria_device *device = nullptr;
  cria_queue *queue = nullptr;
  std::string device_name, tier;
  std::string name;  // of the running case
  int64_t checks = 0, failures = 0, printed = 0;
  bool quiet = false;  // failures are counted, not printed
  uint64_t skew = 0;
  bool aligned = false;  // new buffers start on a vector boundary; else every other one does
  std::vector<std::function<void()>> guards;

  // Runs a case on this device; false when a check failed, or it left memory behind or checked nothing.
  bool run(const NamedCase &test);

  bool is_cpu() const { return device_name == "cpu"; }
  // Whether the device may round the inputs of products with bf16 and NF4 weights to bf16.
  bool bf16_inputs() const { return !is_cpu() || tier == "avx512bf16"; }

  void fail(const char *format, ...) __attribute__((format(printf, 2, 3)));
  // One check: the call returned CRIA_OK.
  void ok(cria_status status, const char *what);
  // One check: the call, or at the latest waiting for its queue, failed with this status and a message that has every
  // given word.
  void refused(cria_status got, cria_status want, std::initializer_list<const char *> words);
  // One check: |got - want| <= bound for every element; NaN equals NaN only, infinities must match.
  void close(const char *what, const std::vector<float> &got, const std::vector<double> &want,
             const std::vector<double> &bound);
  void close(const char *what, const std::vector<float> &got, const std::vector<double> &want,
             double bound);
  // One check: bit for bit.
  template <class T>
  void same(const char *what, const std::vector<T> &got, const std::vector<T> &want) {
    checks++;
    for (size_t i = 0; i < want.size() || i < got.size(); i++) {
      if (i >= got.size() || i >= want.size() || std::memcmp(&got[i], &want[i], sizeof(T)) != 0) {
        fail("%s: element %zu of %zu/%zu differs: got %.9g, expected %.9g", what, i, got.size(),
             want.size(), i < got.size() ? double(got[i]) : 0.0,
             i < want.size() ? double(want[i]) : 0.0);
        return;
      }
    }
  }
};

template <class T>
Array<T>::Array(Context &context, const std::vector<T> &values)
    : Buffer(context, int64_t(values.size() * sizeof(T))), n_(int64_t(values.size())) {
  if (n_ > 0) {
    context.ok(cria_upload(context.queue, bytes(), values.data(), address()), "upload");
    context.checks--;  // moving test data is not a check
  }
}

void download(const Buffer &buffer, void *host);

template <class T>
std::vector<T> Array<T>::values() const {
  std::vector<T> out(static_cast<size_t>(n_));
  if (n_ > 0) download(*this, out.data());
  return out;
}

using Case = std::function<void(Context &)>;
// Where and when a case runs: everywhere, only with --slow, only on the CPU device, only on a GPU device or the emulator.
enum class RunOn { all, slow, cpu, gpu };
struct NamedCase {
  std::string name;
  Case run;
  RunOn run_on;
};
std::vector<NamedCase> &cases();

// The case with all of its buffers on vector boundaries: for the code that takes vectors only where all are.
inline Case aligned(Case run) {
  return [run](Context &context) {
    context.aligned = true;
    run(context);
    context.aligned = false;
  };
}

// Registers a case at start-up: `static const Register r{"rmsnorm 7x3200", [](Context &c) {...}};`
struct Register {
  Register(std::string name, Case run, RunOn run_on = RunOn::all) {
    cases().push_back({std::move(name), std::move(run), run_on});
  }
};

inline std::vector<double> widen(const std::vector<float> &x) { return {x.begin(), x.end()}; }

inline std::vector<uint16_t> bf16_of(const std::vector<float> &x) {
  std::vector<uint16_t> out(x.size());
  for (size_t i = 0; i < x.size(); i++) out[i] = to_bf16(x[i]);
  return out;
}
inline std::vector<float> rounded(const std::vector<float> &x) {
  std::vector<float> out(x.size());
  for (size_t i = 0; i < x.size(); i++) out[i] = round_bf16(x[i]);
  return out;
}

// Checks an analytic float64 gradient of f at x against central differences: the oracle's own proof.
void check_oracle(Context &context, const char *what, std::vector<double> &x,
                  const std::function<double()> &f, const std::vector<double> &gradient);

}  // namespace conformance
