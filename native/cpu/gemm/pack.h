// pack.h: brings operands of a product into the form that the tiles read.
#pragma once

#include "cpu/gemm/gemm.h"
#include "cpu/kernels/gemm.h"

namespace cria::cpu {

// Columns of B packed together; a multiple of nr of every tier, and the smallest usual NF4 block.
constexpr int64_t kStrip = 64;

// Brings elements [first, first+n) of a matrix from `from` to `to` under a mask.
void drop(const GemmKernels &kernels, const Dropout &dropout, int64_t n, int64_t first,
          const float *from, float *to);

// Rows [row, row+rows) of A, not transposed, steps [first, first+n), as float32 or bf16 with dropout applied; ld elements
// from row to row, zeros behind an odd n of bf16.
void convert_rows(const GemmKernels &kernels, const MatrixA &a, bool as_bf16, int64_t row,
                  int64_t rows, int64_t first, int64_t n, void *to, int64_t ld);
// Packs the same elements, of any A, into the panel of a tile; rows <= mr.
void pack_a(const GemmKernels &kernels, const MatrixA &a, bool as_bf16, int64_t row, int64_t rows,
            int64_t first, int64_t n, void *panel);

// Packs k steps from k0 of columns [n0, n0+n) of B, n <= kStrip, into panels of nr columns, zeros behind the last
// column and the last odd k. Panel p starts at p * nr * k elements (k rounded up to even for bf16).
void pack_b(const GemmKernels &kernels, const MatrixB &b, bool as_bf16, int64_t k0, int64_t k,
            int64_t n0, int64_t n, void *panels);

// The lines of memory that pack_b reads for the same arguments, to be brought to the cache a few at a time.
class SourceLines {
 public:
  SourceLines(const MatrixB &b, int64_t k0, int64_t k, int64_t n0, int64_t n);
  int64_t count() const { return rows_ * lines_; }
  // The next lines, as far as there are any.
  void prefetch(int64_t count);

 private:
  const char *row_;            // the line at which the present row begins
  int64_t rows_, ld_, lines_;  // rows left; bytes from row to row; lines of a row
  int64_t line_ = 0;           // the next one of the present row
};

// Reads rows of a stored matrix (a weight [N,K] whatever the product) as float32 or bf16.
class RowReader {
 public:
  RowReader(const GemmKernels &kernels, const MatrixB &b, bool as_bf16);
  // Elements [first, first+n) of rows: the source itself where it has the right type, else decoded
  // into buffer with rows *ld apart. Returns where they are, *ld then is the distance of rows.
  const void *read_rows(int64_t row, int64_t rows, int64_t first, int64_t n, void *buffer,
                        int64_t *ld) const;
  int64_t element_size() const { return as_bf16_ ? 2 : 4; }

  // Whether every row of an NF4 weight consists of whole runs of 64 codes with one scale each.
  bool has_runs() const;
  // Runs of such rows; their scales go to `scales`, one for each.
  Nf4Rows read_runs(int64_t row, int64_t rows, int64_t first, int64_t n, float *scales) const;

 private:
  void decode_nf4(int64_t row, int64_t rows, int64_t first, int64_t n, char *to, int64_t ld) const;
  void decode_any(int64_t row, int64_t first, int64_t n, char *to) const;
  void prefetch_dense(int64_t at, int64_t rows, int64_t n) const;
  void read_scales(int64_t at, int64_t n, int64_t run, float *scales) const;

  const GemmKernels &kernels_;
  const MatrixB &b_;
  bool as_bf16_;
  // NF4: divisions by the block sizes as shifts; nested_shift_ is -1 where that is not possible.
  int block_shift_ = 0, nested_shift_ = -1;
};

}  // namespace cria::cpu
