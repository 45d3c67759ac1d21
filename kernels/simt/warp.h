// warp.h: what a collective does once its lanes have met.
#pragma once

#include "simt/block.h"
#include "simt/emulator.h"

namespace cria::simt {

// From the rows in the warp's slots to its matrices.
void load_matrix(Warp *warp);
void load_matrix_transposed(Warp *warp);

// c += a b on the warp's fragments, in the mode of the running launch.
void multiply_16x8x16(Warp *warp);
void multiply_16x8x8(Warp *warp);
// sums += a b for n columns, as fragments side by side ([row / 8][lane][2] of each 8): a as a fragment, b by columns.
void multiply_columns(const uint32_t (&a)[4][kLanes], const uint16_t (*b)[16], int n, float *sums);
void choose_multiply(MmaMode mode);

void choose_async(AsyncMode mode);
extern bool g_land_at_once, g_land_randomly;

// Operations of asynchronous products (products.cpp).
void operate_wgmma(Warp *warp, const Meeting &meeting);

}  // namespace cria::simt
