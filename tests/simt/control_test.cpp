// control_test.cpp: negative controls: each defect must be reported. A detector that stays silent fails the build.
#include "harness.h"

namespace simt_test {
namespace {

using namespace cria::gpu;

void check_bounds() {
  Array<float> x(std::vector<float>(64, 1.0f));
  Array<float> y(64);
  reported("read", 96, 0, [&] { load(x + thread_index()); },
           {"global", "out of bounds", "byte 256"});
  reported("write", 64, 0, [&] { store(y + thread_index() + 1, 1.0f); },
           {"global", "out of bounds"});
  reported("before", 32, 0, [&] { store(y + thread_index() - 1, 1.0f); },
           {"out of bounds", "byte -4"});
  reported("shared read", 64, 252, [&] { shared<float>(0).load(63); }, {"shared", "out of bounds"});
  reported("shared write", 64, 252, [&] { shared<float>(0).store(thread_index(), 1.0f); },
           {"shared", "out of bounds"});
}
const Register bounds{"out of bounds", check_bounds};

void check_released() {
  float *stale;
  {
    Array<float> x(std::vector<float>(64, 1.0f));
    stale = x;
  }
  reported("read", 32, 0, [&] { load(stale); }, {"out of bounds", "released"});
}
const Register released{"use after release", check_released};

void check_alignment() {
  Array<float> x(std::vector<float>(64, 1.0f));
  reported("vector", 32, 0, [&] { load_vec<4>(x + 1); }, {"misaligned read"});
  reported("shared vector", 32, 64, [&] { shared<float>(4).vec<2>(0); }, {"misaligned read"});
  reported("row", 32, 1024,
           [&] {
             for (int i = 0; i < 8; i++) shared<float>(0).store(lane_index() * 8 + i, 0.0f);
             warp_sync();
             uint32_t r[1];
             load_matrix<1>(r, shared<bf16>(0) + 4);
           },
           {"misaligned read of 16"});
  reported("copy", 32, 64, [&] { copy_async<16>(shared<float>(0), x + 1); }, {"misaligned source"});
  reported("copy to", 32, 64, [&] { copy_async<16>(shared<float>(4), x + 4); }, {"misaligned"});
}
const Register alignment{"alignment", check_alignment};

void check_unwritten() {
  Array<float> x(64);
  reported("global", 32, 0, [&] { load(x + 3); },
           {"never written", "byte 12 of the allocation of 256"});
  reported("shared", 32, 64, [&] { shared<float>(0).load(2); }, {"shared", "never written"});
  // Contents do not survive from block to block.
  reported("shared of the last block", 32, 128,
           [&] {
             if (block_x() == 0)
               shared<float>(0).store(thread_index(), 1.0f);
             else
               shared<float>(0).load(thread_index());
           },
           {"never written"}, {2, 1, 1});
}
const Register unwritten{"uninitialised", check_unwritten};

void check_barriers() {
  reported("divergent", 64, 0,
           [&] {
             if (thread_index() < 32)
               block_sync();
             else
               block_sync();
           },
           {"divergent barrier", "control_test.cpp"});
  reported("exit", 64, 0,
           [&] {
             if (thread_index() != 40) block_sync();
           },
           {"exit before barrier"});
  reported("exit first", 64, 0,
           [&] {
             if (thread_index() != 0) block_sync();
           },
           {"exit before barrier"});
  reported("count", 96, 0, [&] { named_sync(1, thread_index() < 32 ? 64 : 96); },
           {"named barrier 1", "64", "96"});
  reported("count of lanes", 64, 0, [&] { named_sync(1, 40); }, {"multiple of 32"});
  reported("id", 64, 0, [&] { named_sync(16, 32); }, {"not in 1..15"});
  reported("too few", 96, 0,
           [&] {
             if (thread_index() < 32) named_sync(2, 64);
             if (thread_index() >= 32) block_sync();
           },
           {"deadlock", "threads 0-31 wait at a barrier", "threads 32-95"});
}
const Register barriers{"barriers", check_barriers};

void check_collectives() {
  reported("mask without self", 32, 0, [&] { shuffle(1, 0, 1u); }, {"not in its mask"});
  reported("lane outside mask", 32, 0,
           [&] {
             if (lane_index() < 16) shuffle_down(1, 1, 0xFFFFu);
           },
           {"reads lane 16", "0x0000ffff"});
  reported("masks differ", 32, 0, [&] { shuffle(1, 0, lane_index() < 16 ? ~0u : 0xFFFF0001u); },
           {"divergent warp collective"});
  reported("exited lane", 32, 0,
           [&] {
             if (lane_index() != 3) shuffle(1, 3);
           },
           {"lane 3 ends"});
  reported("exited lane first", 32, 0,
           [&] {
             if (lane_index() != 0) shuffle(1, 3);
           },
           {"have ended"});
  reported("places differ", 32, 0,
           [&] {
             if (lane_index() < 16)
               vote_any(true);
             else
               vote_any(false);
           },
           {"divergent warp collective"});
  reported("barrier instead", 32, 0,
           [&] {
             if (lane_index() < 16)
               warp_sync();
             else
               block_sync();
           },
           {"waits at a barrier", "warp_sync"});
}
const Register collectives{"warp collectives", check_collectives};

// Each thread copies a value and reads it after `wait` groups may be open.
template <int WAIT, bool COMMIT>
void copy_and_read(const float *x) {
  auto s = shared<float>(0);
  int i = thread_index();
  copy_async<4>(s + i, x + i);
  if (COMMIT) copy_async_commit();
  copy_async_wait<WAIT>();
  s.load(i);
}

void check_asynchronous() {
  Array<float> x(std::vector<float>(64, 1.0f));
  for (simt::AsyncMode mode :
       {simt::AsyncMode::lazy, simt::AsyncMode::eager, simt::AsyncMode::random}) {
    simt::settings().async = mode;
    reported("wait off by one", 32, 256, [&] { copy_and_read<1, true>(x); }, {"may still write"});
    reported("not committed", 32, 256, [&] { copy_and_read<0, false>(x); }, {"may still write"});
    reported("not waited", 32, 256,
             [&] {
               copy_async<4>(shared<float>(0) + lane_index(), x + lane_index());
               copy_async_commit();
             },
             {"not waited for"});
    reported("open", 32, 256,
             [&] { copy_async<4>(shared<float>(0) + lane_index(), x + lane_index()); },
             {"not committed"});
  }
  simt::settings().async = simt::AsyncMode::lazy;
}
const Register asynchronous{"asynchronous copies", check_asynchronous};

void check_limits() {
  reported("shared", 32, (227 << 10) + 1, [] {}, {"shared memory", "sm_90"});
  simt::settings().architecture = "sm_86";
  reported("shared", 32, (99 << 10) + 1, [] {}, {"shared memory", "sm_86"});
  simt::settings().architecture = "sm_80";
  reported("shared", 32, (163 << 10) + 1, [] {}, {"shared memory", "sm_80"});
  simt::settings().architecture = "sm_90";
  reported("threads", 33, 0, [] {}, {"multiple of 32"});
  reported("grid", 32, 0, [] {}, {"grid"}, {1, 65536, 1});
}
const Register limits{"limits", check_limits};

}  // namespace
}  // namespace simt_test
