// reductions.cu: sums, means and maxima along one axis, sums of squares and of segments.
//
// Sums are float64 in a fixed order. x [outer,n,inner] is cut along n into pieces, one block each for up to 128 columns;
// a second launch combines the pieces. A block's threads are strips of columns: neighbours read neighbouring elements
// whatever `inner` is, each thread adds up every strips-th row, and the strips end in a tree. Bound by memory: x is read once.
#include "device/block.h"
#include "device/device.h"
#include "host/launch.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kColumns = 128;          // most columns of a block
constexpr int kPieceElements = 16384;  // of a piece, as far as `inner` allows

// What a reduction does to elements and how the results of pieces are reduced further (Next).
struct Total {
  using Value = double;
  using Next = Total;
  CRIA_GPU static Value start() { return 0; }
  CRIA_GPU static Value of(double x) { return x; }
  CRIA_GPU static Value combine(Value a, Value b) { return a + b; }
};

struct Squares : Total {
  CRIA_GPU static Value of(double x) { return x * x; }
};

struct Largest {
  using Value = float;
  using Next = Largest;
  CRIA_GPU static Value start() { return -INFINITY; }
  CRIA_GPU static Value of(float x) { return x; }
  CRIA_GPU static Value combine(Value a, Value b) { return b > a || b != b ? b : a; }  // NaN wins
};

// Piece p of row o of x [outer,n,inner] -> scale * its reduction, in y [outer,pieces,inner].
template <class Op, class From, class To>
CRIA_KERNEL(kThreads, 4)
void reduce_kernel(int64_t n, int64_t inner, int64_t piece, double scale, const From *x, To *y) {
  const int width = int(minimum(inner, int64_t(kColumns))), strips = kThreads / width;
  const int strip = thread_index() / width;
  const int64_t blocks = divide_up(inner, width), pieces = divide_up(n, piece);
  const int64_t row = block_x() / blocks;  // of [outer,pieces]
  const int64_t column = block_x() % blocks * width + thread_index() % width;
  const int64_t first = row % pieces * piece, rows = minimum(piece, n - first);
  const From *from = x + (row / pieces * n + first) * inner + column;

  typename Op::Value total = Op::start();
  if (strip < strips && column < inner) {
#pragma unroll 8
    for (int64_t r = strip; r < rows; r += strips) {
      total = Op::combine(total, Op::of(load(from + r * inner)));
    }
  }
  const auto partial = shared<typename Op::Value>(0);
  partial.store(thread_index(), total);
  for (int left = strips; left > 1;) {
    const int half = (left + 1) / 2;
    block_sync();
    if (strip + half < left) {
      total = Op::combine(total, partial.load(thread_index() + half * width));
      partial.store(thread_index(), total);
    }
    left = half;
  }
  if (strip == 0 && column < inner) store(y + row * inner + column, To(total * scale));
}

template <class Op, class From, class To>
void reduce_pieces(GpuQueue &queue, int64_t outer, int64_t n, int64_t inner, int64_t piece,
                   double scale, const From *x, To *y) {
  const int64_t blocks = divide_up(inner, minimum(inner, int64_t(kColumns)));
  launch(queue, "reduce", &reduce_kernel<Op, From, To>, {outer * divide_up(n, piece) * blocks},
         kThreads, kThreads * int(sizeof(typename Op::Value)), n, inner, piece, scale, x, y);
}

// x [outer,n,inner] -> y [outer,inner], times scale.
template <class Op, class To>
void reduce_all(GpuQueue &queue, int64_t outer, int64_t n, int64_t inner, double scale,
                const float *x, To *y) {
  using Value = typename Op::Value;
  const int64_t piece = kPieceElements / minimum(inner, int64_t(kColumns));
  const int64_t pieces = divide_up(n, piece);
  if (pieces <= 1) return reduce_pieces<Op>(queue, outer, n, inner, piece, scale, x, y);
  const Scratch scratch(queue, outer * pieces * inner * int64_t(sizeof(Value)));
  Value *partial = scratch.as<Value>();
  reduce_pieces<Op>(queue, outer, n, inner, piece, 1.0, x, partial);
  reduce_pieces<typename Op::Next>(queue, outer, pieces, inner, pieces, scale, partial, y);
}

constexpr int kSegmentThreads = 128;

CRIA_KERNEL(kSegmentThreads, 8)
void segment_sum_kernel(const int32_t *offsets, const float *x, float *y) {
  const int32_t end = load(offsets + block_x() + 1);
  double sum = 0;
#pragma unroll 4
  for (int64_t i = load(offsets + block_x()) + thread_index(); i < end; i += kSegmentThreads) {
    sum += load(x + i);
  }
  sum = block_sum<kSegmentThreads>(sum, 0);
  if (thread_index() == 0) store(y + block_x(), float(sum));
}

}  // namespace

cria_status reduce(cria_queue *queue, cria_reduce_op op, int64_t outer, int64_t n, int64_t inner,
                   const float *x, float *y) {
  if (outer == 0 || inner == 0) return CRIA_OK;
  if (op == CRIA_REDUCE_MAX) {
    reduce_all<Largest>(queue_of(queue), outer, n, inner, 1.0, x, y);
  } else {
    const double scale = op == CRIA_REDUCE_MEAN ? 1.0 / double(n) : 1.0;
    reduce_all<Total>(queue_of(queue), outer, n, inner, scale, x, y);
  }
  return CRIA_OK;
}

cria_status sum_squares(cria_queue *queue, int64_t n, const float *x, double *sum) {
  *sum = 0;
  if (n == 0) return CRIA_OK;
  const Scratch result(queue_of(queue), sizeof(double));
  reduce_all<Squares>(queue_of(queue), 1, n, 1, 1.0, x, result.as<double>());
  queue_of(queue).download(sum, result.as<double>(), sizeof(double));
  return CRIA_OK;
}

cria_status segment_sum(cria_queue *queue, int64_t segments, const int32_t *offsets, const float *x,
                        float *y) {
  launch(queue_of(queue), "segment_sum", &segment_sum_kernel, {segments}, kSegmentThreads,
         kReduceBytes, offsets, x, y);
  return CRIA_OK;
}

}  // namespace cria::gpu
