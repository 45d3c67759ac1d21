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
void choose_multiply(MmaMode mode);

void choose_async(AsyncMode mode);

}  // namespace cria::simt
