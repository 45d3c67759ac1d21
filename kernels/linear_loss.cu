// linear_loss.cu: losses of a linear head, z = h W^T, over labelled rows only and never with all logits at once.
//
// Rows go through in chunks: logits (a product), then a block per row sums the exponentials and, when a gradient is wanted,
// writes d loss / d z, an operand of the products with W and h. With bf16 weights h and d loss / d z are rounded to bf16.
#include <algorithm>
#include <cinttypes>
#include <vector>

#include "device/block.h"
#include "each.h"
#include "host/operations.h"
#include "operand.h"

namespace cria::gpu {
namespace {

constexpr int32_t kIgnored = -100;
constexpr int64_t kMostRows = 1024, kFewestRows = 128;  // of a chunk: W is read once for each
constexpr int64_t kMostLogits = 32 << 20;               // of a chunk, 128 MiB

// Threads of a row, and what each holds of it in registers. Vocabularies up to 32768 are read once.
constexpr int kThreads = 128, kThreadsOfLong = 512;
constexpr int kVector = 4, kHeld = 16;
constexpr int64_t kLongRow = kThreads * kVector * kHeld;

// Of one row.
struct RowResult {
  double logp;     // of its label
  double entropy;  // lse - sum p z
};

// d loss / d z_j = p_j (a + b (log p_j + entropy)), and `label` more at the label.
struct RowGradient {
  float a, b, label;
};

struct CrossEntropy {
  const float *weights;
  float grad_scale;
  double *weighted;  // by place among the labelled rows
  float *losses;
  CRIA_GPU float weight(int64_t row) const { return weights ? load(weights + row) : 1.0f; }
  CRIA_GPU RowGradient gradient(int64_t row) const {
    const float g = grad_scale * weight(row);
    return {g, 0, -g};
  }
  CRIA_GPU void result(int64_t place, int64_t row, const RowResult &r) const {
    store(weighted + place, weight(row) * -r.logp);
    if (losses) store(losses + row, float(-r.logp));
  }
};

struct LogProbability {
  float *logp, *entropy;
  CRIA_GPU RowGradient gradient(int64_t) const { return {-1, 0, 1}; }
  CRIA_GPU void result(int64_t, int64_t row, const RowResult &r) const {
    store(logp + row, float(r.logp));
    if (entropy) store(entropy + row, float(r.entropy));
  }
};

struct LogProbabilityBackward {
  const float *dlogp, *dentropy;
  CRIA_GPU RowGradient gradient(int64_t row) const {
    const float by_logp = dlogp ? load(dlogp + row) : 0.0f;
    return {-by_logp, dentropy ? -load(dentropy + row) : 0.0f, by_logp};
  }
  CRIA_GPU void result(int64_t, int64_t, const RowResult &) const {}
};

// Logits [j, j + kVector) of a row of v; -inf behind its end.
CRIA_GPU Vec<float, kVector> logits_at(const float *z, int64_t j, int64_t v) {
  if (j + kVector <= v) return load_vec<kVector>(z + j);
  Vec<float, kVector> out;
  for (int e = 0; e < kVector; ++e) out[e] = j + e < v ? load(z + j + e) : -INFINITY;
  return out;
}

// A row of logits: the first kHeld vectors of each thread in registers, what follows read again for each use.
template <int THREADS>
struct Row {
  const float *z;
  int64_t v;
  Vec<float, kVector> held[kHeld];

  CRIA_GPU Row(const float *logits, int64_t length) : z(logits), v(length) {
#pragma unroll
    for (int i = 0; i < kHeld; ++i) held[i] = logits_at(z, place(i), v);
  }
  CRIA_GPU static int64_t place(int64_t step) {
    return (step * THREADS + thread_index()) * kVector;
  }
  // Calls use(j, logits [j, j + kVector)).
  template <class Use>
  CRIA_GPU void each(Use use) const {
#pragma unroll
    for (int i = 0; i < kHeld; ++i) {
      if (place(i) < v) use(place(i), held[i]);
    }
    for (int64_t i = kHeld; place(i) < v; ++i) use(place(i), logits_at(z, place(i), v));
  }
};

// Row place = first + block of the labelled rows, which are `rows` (null: all), from its logits. Its gradient goes to
// `gradient`, which may be the logits themselves (null: not wanted). Rows of both are `pitch` elements apart, a multiple of kVector.
template <int THREADS, class T, class Loss>
CRIA_KERNEL(THREADS, 1)
void logits_kernel(int64_t v, int64_t pitch, int64_t first, const int64_t *rows,
                   const int32_t *labels, const float *logits, T *gradient, Loss loss) {
  const int64_t place = first + block_x(), row = rows ? load(rows + place) : place;
  const int32_t label = load(labels + row);
  const Row<THREADS> z(logits + block_x() * pitch, v);
  float largest = -INFINITY;
  z.each([&](int64_t, const Vec<float, kVector> &x) {
    for (int e = 0; e < kVector; ++e) largest = fmaxf(largest, x[e]);
  });
  largest = block_max<THREADS>(largest, 0);
  float thread_sum = 0, thread_weighted = 0;  // of exp(z - largest), and of that times z - largest
  z.each([&](int64_t, const Vec<float, kVector> &x) {
    for (int e = 0; e < kVector; ++e) {
      const float distance = x[e] - largest, power = expf(distance);
      thread_sum += power;
      if (power != 0) thread_weighted = fmaf(power, distance, thread_weighted);
    }
  });
  const double at_label = double(load(z.z + label)) - double(largest);
  const double sum = block_sum<THREADS>(double(thread_sum), kReduceBytes);
  const double weighted = block_sum<THREADS>(double(thread_weighted), 2 * kReduceBytes);
  const double log_sum = log(sum);
  const RowResult result{at_label - log_sum, log_sum - weighted / sum};
  if (thread_index() == 0) loss.result(place, row, result);
  if (!gradient) return;

  const RowGradient g = loss.gradient(row);
  const float inverse = float(1 / sum), shift = float(result.entropy - log_sum);
  z.each([&](int64_t j, const Vec<float, kVector> &x) {
    Vec<T, kVector> out;
    for (int e = 0; e < kVector; ++e) {
      const float distance = x[e] - largest, p = expf(distance) * inverse;
      float d = p * g.a;
      if (p != 0) d = fmaf(p * g.b, distance + shift, d);
      out[e] = from_float<T>(j + e == label ? d + g.label : d);
    }
    store_vec(gradient + block_x() * pitch + j, out);
  });
}

// to[to_rows[i]] = from[from_rows[i]], null for i itself; rows of c floats.
struct MoveRows {
  int64_t c;
  const int64_t *from_rows, *to_rows;
  const float *from;
  float *to;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    const int64_t place = i / c, column = i - place * c;
    const int64_t source = from_rows ? load(from_rows + place) : place;
    const int64_t target = to_rows ? load(to_rows + place) : place;
    store_vec(to + target * c + column, load_vec<N>(from + source * c + column));
  }
};

template <class T>
struct Head {
  int64_t t, c, v;
  const T *w;      // [V,C]
  const float *h;  // [T,C]
  const int32_t *labels;
};

// The rows that have a label, in order.
class LabelledRows {
 public:
  LabelledRows(GpuQueue &queue, const char *operation, int64_t t, int64_t v,
               const int32_t *device_labels) {
    std::vector<int32_t> labels(static_cast<size_t>(t));
    if (t > 0) queue.download(labels.data(), device_labels, t * int64_t(sizeof(int32_t)));
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < t; ++i) {
      const int32_t label = labels[static_cast<size_t>(i)];
      if (label == kIgnored) continue;
      if (label < 0 || label >= v) {
        fail(CRIA_INVALID_ARGUMENT,
             "%s: labels[%" PRId64 "] must be -100 or 0..%" PRId64 ": %" PRId32, operation, i,
             v - 1, label);
      }
      rows.push_back(i);
    }
    count_ = static_cast<int64_t>(rows.size());
    all_ = count_ == t;
    if (all_ || count_ == 0) return;
    const int64_t bytes = count_ * int64_t(sizeof(int64_t));
    device_.emplace(queue, bytes);
    queue.upload(device_->as<int64_t>(), rows.data(), bytes);
  }
  int64_t count() const { return count_; }
  bool all() const { return all_; }
  const int64_t *device() const { return device_ ? device_->as<int64_t>() : nullptr; }  // null: all

 private:
  int64_t count_;
  bool all_;
  std::optional<Scratch> device_;
};

void clear(GpuQueue &queue, float *x, int64_t n) {
  if (x && n > 0) queue.gpu().runtime->fill(queue.stream, x, 0, n * int64_t(sizeof(float)));
}

void move_rows(GpuQueue &queue, int64_t n, const MoveRows &move) {
  each(queue, "move_rows", n * move.c, vectors_of_4(move.c, {move.from, move.to}), move);
}

// The loss of every labelled row and, with dh or dw, the products with its gradient: dh overwritten (0 on ignored rows), dw +=.
template <class T, class Loss>
void for_rows(GpuQueue &queue, const Head<T> &head, const LabelledRows &rows, float *dh, float *dw,
              const Loss &loss) {
  const int64_t c = head.c, v = head.v, pitch = packed_pitch(v);
  if (!rows.all()) clear(queue, dh, head.t * c);
  if (rows.count() == 0) return;
  const int64_t most =
      std::clamp(kMostLogits / pitch / kFewestRows * kFewestRows, kFewestRows, kMostRows);
  const int64_t step = std::min(most, rows.count());
  const bool wanted = dh || dw, in_place = sizeof(T) == sizeof(float);
  const Scratch logits(queue, step * pitch * int64_t(sizeof(float)));
  const Scratch rounded(queue, wanted && !in_place ? step * pitch * int64_t(sizeof(T)) : 0);
  const Scratch gathered(queue, rows.all() ? 0 : step * c * int64_t(sizeof(float)));
  float *z = logits.as<float>(), *some = gathered.as<float>();
  T *g = wanted ? (in_place ? logits : rounded).as<T>() : nullptr;
  for (int64_t first = 0; first < rows.count(); first += step) {
    const int64_t n = std::min(step, rows.count() - first);
    const int64_t *these = rows.all() ? nullptr : rows.device() + first;
    if (these) move_rows(queue, n, {c, these, nullptr, head.h, some});
    const Rows<T> h(queue, n, c, these ? some : head.h + first * c);
    multiply(queue, Product<T>{n, v, c, h.along_k(), {head.w, c, true}, z, pitch});
    const bool is_long = v > kLongRow;
    launch(queue, "logits",
           is_long ? &logits_kernel<kThreadsOfLong, T, Loss> : &logits_kernel<kThreads, T, Loss>,
           {n}, is_long ? kThreadsOfLong : kThreads, 3 * kReduceBytes, v, pitch, first,
           rows.device(), head.labels, z, g, loss);
    if (dw) multiply(queue, Product<T>{v, c, n, {g, pitch, false}, h.across_k(), dw, c, 1, true});
    if (dh) {
      float *to = these ? some : dh + first * c;  // h is no longer needed
      multiply(queue, Product<T>{n, c, v, {g, pitch, true}, {head.w, c, false}, to, c});
      if (these) move_rows(queue, n, {c, nullptr, these, some, dh});
    }
  }
}

// Calls use(head) with the head's own type of weights.
template <class Use>
void by_head(int64_t t, int64_t c, int64_t v, cria_dtype dtype, const void *w, const float *h,
             const int32_t *labels, Use use) {
  by_dtype(dtype, w, [&](const auto *weight) {
    using T = std::decay_t<decltype(*weight)>;
    use(Head<T>{t, c, v, weight, h, labels});
  });
}

}  // namespace

cria_status linear_cross_entropy(cria_queue *queue, int64_t t, int64_t c, int64_t v,
                                 cria_dtype dtype, const void *w, const float *h,
                                 const int32_t *labels, const float *weights, float grad_scale,
                                 double *loss_sum, float *losses, float *dh, float *dw) {
  GpuQueue &q = queue_of(queue);
  const LabelledRows rows(q, "linear_cross_entropy", t, v, labels);
  const int64_t bytes = rows.count() * int64_t(sizeof(double));
  const Scratch weighted(q, bytes);
  if (!rows.all()) clear(q, losses, t);
  by_head(t, c, v, dtype, w, h, labels, [&](const auto &head) {
    for_rows(q, head, rows, dh, dw,
             CrossEntropy{weights, grad_scale, weighted.as<double>(), losses});
  });
  std::vector<double> terms(static_cast<size_t>(rows.count()));
  if (bytes > 0) q.download(terms.data(), weighted.as<double>(), bytes);
  double sum = 0;
  for (const double term : terms) sum += term;
  *loss_sum = sum;
  return CRIA_OK;
}

cria_status linear_logprob(cria_queue *queue, int64_t t, int64_t c, int64_t v, cria_dtype dtype,
                           const void *w, const float *h, const int32_t *labels, float *logp,
                           float *entropy, float *unit_grad) {
  GpuQueue &q = queue_of(queue);
  const LabelledRows rows(q, "linear_logprob", t, v, labels);
  if (!rows.all()) {
    clear(q, logp, t);
    clear(q, entropy, t);
  }
  by_head(t, c, v, dtype, w, h, labels, [&](const auto &head) {
    for_rows(q, head, rows, unit_grad, nullptr, LogProbability{logp, entropy});
  });
  return CRIA_OK;
}

cria_status linear_logprob_bwd(cria_queue *queue, int64_t t, int64_t c, int64_t v, cria_dtype dtype,
                               const void *w, const float *h, const int32_t *labels,
                               const float *dlogp, const float *dentropy, float *dh, float *dw) {
  GpuQueue &q = queue_of(queue);
  const LabelledRows rows(q, "linear_logprob_bwd", t, v, labels);
  if (!dh && !dw) return CRIA_OK;
  by_head(t, c, v, dtype, w, h, labels, [&](const auto &head) {
    for_rows(q, head, rows, dh, dw, LogProbabilityBackward{dlogp, dentropy});
  });
  return CRIA_OK;
}

}  // namespace cria::gpu
