// oracle.h: float64 references of the matrix operations, in the plainest form.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "harness.h"

namespace conformance {

using Matrix = std::vector<double>;  // row-major

// c[m,n] = sum_k a[m,k] b[n,k]; magnitude, when given, receives sum_k |a||b|.
inline Matrix multiply_transposed(const Matrix &a, const Matrix &b, int64_t m, int64_t n, int64_t k,
                                  Matrix *magnitude = nullptr) {
  Matrix c(static_cast<size_t>(m * n));
  if (magnitude) magnitude->assign(c.size(), 0);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0, size = 0;
      for (int64_t l = 0; l < k; l++) {
        double p = a[size_t(i * k + l)] * b[size_t(j * k + l)];
        sum += p;
        size += std::fabs(p);
      }
      c[size_t(i * n + j)] = sum;
      if (magnitude) (*magnitude)[size_t(i * n + j)] = size;
    }
  return c;
}

inline Matrix transpose(const Matrix &a, int64_t rows, int64_t columns) {
  Matrix t(a.size());
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) t[size_t(j * rows + i)] = a[size_t(i * columns + j)];
  return t;
}

inline Matrix absolute(Matrix a) {
  for (auto &v : a) v = std::fabs(v);
  return a;
}

inline Matrix scaled(Matrix a, double s) {
  for (auto &v : a) v *= s;
  return a;
}

inline Matrix sum_of(Matrix a, const Matrix &b) {
  for (size_t i = 0; i < a.size(); i++) a[i] += b[i];
  return a;
}

// h of cria.h (dropout): 32 random bits of element `index` under a key.
inline uint32_t hash(uint64_t key, uint64_t index) {
  auto fmix = [](uint32_t z) {
    z ^= z >> 16;
    z *= 0x85EBCA6Bu;
    z ^= z >> 13;
    z *= 0xC2B2AE35u;
    return z ^ (z >> 16);
  };
  uint32_t h = fmix(uint32_t(key) + 0x9E3779B9u * uint32_t(index));
  return fmix(h ^ uint32_t(key >> 32) ^ uint32_t(index >> 32));
}

// The dropout rule of cria.h: true when element `index` of the input is kept.
inline bool kept(uint64_t key, uint64_t index, float p) {
  return hash(key, index) >= uint32_t(std::floor(double(p) * 4294967296.0));
}

// Factors of the kept elements: 0 or 1/(1-p).
inline Matrix dropout_mask(uint64_t key, int64_t n, float p) {
  Matrix mask(static_cast<size_t>(n), 1.0);
  if (p > 0)
    for (int64_t i = 0; i < n; i++)
      mask[size_t(i)] = kept(key, uint64_t(i), p) ? 1.0 / (1.0 - double(p)) : 0.0;
  return mask;
}

inline Matrix times(Matrix a, const Matrix &b) {
  for (size_t i = 0; i < a.size(); i++) a[i] *= b[i];
  return a;
}

}  // namespace conformance
