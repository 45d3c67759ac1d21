// check.h: the self-check of a device's operations: each is run on it and on the CPU with the same data, and timed on request.
//
// Written against cria.h alone. The conformance suite proves more, against float64; this is what an owner can run in seconds.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cria.h"

namespace cria::check {

struct Timing {
  double seconds, bytes, flops;
};

// Null past the last operation.
const char *operation_name(int32_t index);
// Largest difference from the CPU as a share of what is allowed. Throws cria::Error when a call fails.
double worst_error(cria_queue *queue, int32_t index);
Timing time(cria_queue *queue, int32_t index, int32_t repeats);

// The memory of one problem on one device, with data that depends on the order of requests only.
class Session {
 public:
  explicit Session(cria_queue *queue);
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  cria_queue *queue() const { return queue_; }
  // Random numbers in [-scale, scale).
  float *floats(int64_t n, float scale = 1);
  uint16_t *halves(int64_t n, float scale);  // the same as bf16
  int32_t *integers(int64_t n, int32_t below);
  int32_t *integers(const std::vector<int32_t> &values);
  int32_t *count_up(int64_t n);
  float *zeros(int64_t n);
  uint8_t *zero_bytes(int64_t n);
  cria_nf4 *nf4(int64_t n, int64_t k);
  cria_kv *cache(int64_t capacity, int64_t kv_heads, int64_t d);

 private:
  void *memory(int64_t bytes, const void *host);
  cria_device *device_;
  cria_queue *queue_;
  uint64_t drawn_ = 0;
  std::vector<void *> addresses_;
  std::vector<cria_nf4 *> matrices_;
  std::vector<cria_kv *> caches_;
};

// What an operation is run on: `run` may be repeated; `outputs` are what it computes, with the relative error allowed to each.
struct Problem {
  struct Output {
    const float *data;
    int64_t n;
    double tolerance;
  };
  std::function<void()> run;
  std::vector<Output> outputs;
  double bytes, flops;
};

// small: awkward sizes; narrow: the widths of OpenLLaMA-3B with few rows or heads, for counting on the emulator; model: its
// shapes in training, 2048 tokens.
enum class Size { small, narrow, model };

template <class T>
T of(Size size, T small, T narrow, T model) {
  return size == Size::small ? small : size == Size::narrow ? narrow : model;
}

// A matrix of activations, or another of that many rows and columns.
struct Rows {
  int64_t t, c;
};
inline Rows rows(Size size) { return of<Rows>(size, {37, 332}, {64, 3200}, {2048, 3200}); }

constexpr double kExact = 1e-5;  // the error allowed to float32 all the way

struct Operation {
  const char *name;
  Problem (*make)(Session &session, Size size);
};

// In files by kind.
extern const std::vector<Operation> kProducts, kStreams, kElementary;
// All of them.
const std::vector<Operation> &operations();

// Throws what the last call said unless its status is CRIA_OK.
void succeed(cria_status status);

}  // namespace cria::check
