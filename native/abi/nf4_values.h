// nf4_values.h: the 16 numbers of NF4, as float32 in ascending order. Source: QLoRA (Dettmers et al. 2023).
#pragma once

namespace cria {

constexpr float kNf4Values[16] = {-0x1p+0f,        -0x1.647362p-1f, -0x1.0cd66p-1f,  -0x1.94654p-2f,
                                  -0x1.23449ap-2f, -0x1.7a6a7ep-3f, -0x1.74f0e2p-4f, 0.0f,
                                  0x1.45f5fep-4f,  0x1.4995c6p-3f,  0x1.f809bap-3f,  0x1.5a0674p-2f,
                                  0x1.c3497p-2f,   0x1.200f56p-1f,  0x1.722766p-1f,  0x1p+0f};

// The middle between value i and the next: what lies above is rounded up.
constexpr float nf4_bound(int i) { return (kNf4Values[i] + kNf4Values[i + 1]) / 2; }

}  // namespace cria
