// device_test.cpp: opening devices, queues, launches, and how errors of the CUDA runtime come out.
#include "harness.h"

namespace runtime_test {
namespace {

using cria::gpu::Fault;
using cria::gpu::GpuQueue;
using cria::gpu::launch;
using cria::gpu::queue_of;
using fake::machine;

const Register opening{
    "opening", [] {
      cria_device *device = nullptr;
      machine().devices = 0;
      machine().driver = 0;
      refused(Device::open("cuda:0", &device), CRIA_DEVICE_ERROR,
              {"device_open", "cuda:0", "there is no NVIDIA driver", "use 'cpu'"});
      machine().driver = 13000;
      refused(Device::open("cuda:0", &device), CRIA_DEVICE_ERROR, {"cuda:0", "text of an error"});
      machine().devices = 2;
      refused(Device::open("cuda:2", &device), CRIA_INVALID_ARGUMENT, {"cuda:2", "2 CUDA devices"});
      for (const char *name : {"cuda:", "cuda:x", "cuda:1x", "cuda:-1", "cuda:99999999999"})
        refused(Device::open(name, &device), CRIA_INVALID_ARGUMENT, {"device_open", name});
      machine().major = 7;
      machine().minor = 5;
      refused(Device::open("cuda:1", &device), CRIA_UNSUPPORTED, {"Double 7.5", "sm_75", "sm_80"});
      machine().major = 8;
      machine().minor = 6;
      Device d("cuda:1");
      check(std::string(d->isa()) == "sm_86" && d->threads() == 132, "%s, %d", d->isa(),
            d->threads());
    }};

const Register selecting{"every call selects its device", [] {
                           // The double checks the device of each call; before each, the thread has selected another one.
                           Device d("cuda:1");
                           cria_queue *q = nullptr;
                           void *x = nullptr, *y = nullptr;
                           cria_graph *graph = nullptr;
                           int32_t value = 3;
                           const cria::DeviceTable &table = d.table();
                           const std::vector<std::function<cria_status()>> steps = {
                               [&] { return table.alloc(d, 4, &x); },
                               [&] { return table.alloc(d, 4, &y); },
                               [&] { return table.queue_create(d, &q); },
                               [&] { return table.upload(q, 4, &value, x); },
                               [&] { return table.copy(q, 4, x, y); },
                               [&] { return set(q, x, 7), CRIA_OK; },
                               [&] {
                                 queue_of(q).gpu().runtime->fill(queue_of(q).stream, x, 0, 4);
                                 return CRIA_OK;
                               },
                               [&] { return table.download(q, 4, y, &value); },
                               [&] { return table.queue_synchronize(q); },
                               [&] { return table.graph_begin(q); },
                               [&] { return set(q, x, 7), CRIA_OK; },
                               [&] { return table.graph_end(q, &graph); },
                               [&] { return table.graph_launch(q, graph); },
                               [&] { return table.graph_free(graph); },
                               [&] { return table.free(d, x); },
                               [&] { return table.free(d, y); },
                               [&] { return table.queue_destroy(q); },
                           };
                           for (const auto &step : steps) {
                             cudaSetDevice(0);
                             ok(step(), "step");
                           }
                           cudaSetDevice(0);
                         }};

const Register queues{
    "a queue is a stream", [] {
      Device d;
      cria_queue *a = d.queue(), *b = d.queue();
      check(machine().streams == 2, "%d streams", machine().streams);
      check(queue_of(a).stream != queue_of(b).stream, "queues share a stream");
      check(d->memory.objects == 2, "%d objects", int(d->memory.objects));
      void *x = d.alloc(8);
      set(a, x, 5);
      machine().calls.clear();
      d.destroy(a);
      // Its work ends first.
      int waited = -1, destroyed = -1;
      for (int i = 0; i < int(machine().calls.size()); ++i) {
        if (machine().calls[size_t(i)].find("cudaStreamSynchronize") == 0) waited = i;
        if (machine().calls[size_t(i)].find("cudaStreamDestroy") == 0) destroyed = i;
      }
      check(waited >= 0 && waited < destroyed, "waits at %d, destroys at %d", waited, destroyed);
      check(get(b, x) == 5, "work of the destroyed queue is lost");
      d.destroy(b);
      d.free(x);
      check(machine().streams == 0 && d->memory.objects == 0, "something is left");

      for (const char *function : {"cudaStreamCreateWithFlags", "cudaMalloc", "cudaMemsetAsync"}) {
        // A fresh device, as the cache of this one has the block that a queue needs.
        Device other("cuda:1");
        machine().fail_next[function] = cudaErrorUnknown;
        cria_queue *queue = nullptr;
        refused(other.table().queue_create(other, &queue), CRIA_DEVICE_ERROR, {"cuda"});
        check(machine().streams == 0 && other->memory.objects == 0, "%s leaves a stream", function);
      }
    }};

void one(int32_t *) {}
void two(int32_t *) {}

const Register launches{
    "launch parameters and shared memory", [] {
      fake::kernel(&one);
      fake::kernel(&two);
      int32_t *const none = nullptr;
      {
        Device d;
        cria_queue *q = d.queue();
        GpuQueue &queue = queue_of(q);
        launch(queue, "one", &one, {3, 4, 5}, 96, 1000, none);
        const fake::Launch &made = machine().launches.back();
        check(made.function == reinterpret_cast<const void *>(&one) && made.grid.x == 3 &&
                  made.grid.y == 4 && made.grid.z == 5 && made.block.x == 96 && made.block.y == 1 &&
                  made.block.z == 1 && made.shared_bytes == 1000,
              "launch parameters");
        launch(queue, "one", &one, {3, 0, 5}, 96, 0, none);
        check(machine().launches.size() == 1, "an empty grid was launched");

        const auto allowed = [] { return machine().count("cudaFuncSetAttribute"); };
        launch(queue, "one", &one, {1}, 96, 48 << 10, none);
        check(allowed() == 0, "48 KiB need no permission");
        machine().fail_next["cudaFuncSetAttribute"] = cudaErrorUnknown;
        bool thrown = false;
        try {
          launch(queue, "one", &one, {1}, 96, (48 << 10) + 16, none);
        } catch (const cria::Error &e) {
          thrown = e.status == CRIA_DEVICE_ERROR;
        }
        check(thrown && machine().launches.size() == 2, "permission was refused");
        for (int i = 0; i < 3; ++i) launch(queue, "one", &one, {1}, 96, 100 << 10, none);
        check(allowed() == 2, "asked %d times for one kernel", allowed());
        launch(queue, "two", &two, {1}, 96, 227 << 10, none);
        check(allowed() == 3, "asked %d times for two kernels", allowed());
        try {
          launch(queue, "two", &two, {1}, 96, (227 << 10) + 16, none);
          check(false, "more shared memory than there is");
        } catch (const cria::Error &e) {
          check(e.status == CRIA_UNSUPPORTED && e.message.find("two") == 0 &&
                    e.message.find("232448") != std::string::npos,
                "%s", e.message.c_str());
        }
        for (const cria::gpu::Grid grid :
             {cria::gpu::Grid{int64_t{1} << 31}, cria::gpu::Grid{1, 65536}, {1, 1, 65536}}) {
          try {
            launch(queue, "one", &one, grid, 96, 0, none);
            check(false, "a grid was too large");
          } catch (const cria::Error &e) {
            check(e.status == CRIA_UNSUPPORTED && e.message.find("one: ") == 0, "%s",
                  e.message.c_str());
          }
        }
        d.destroy(q);
      }
      Device other("cuda:1");
      cria_queue *q = other.queue();
      launch(queue_of(q), "one", &one, {1}, 96, 100 << 10, none);
      check(machine().count("cudaFuncSetAttribute") == 4, "permission holds for one device");
      other.destroy(q);
    }};

const Register copies{"copies", [] {
                        Device d;
                        cria_queue *q = d.queue();
                        void *x = d.alloc(8), *y = d.alloc(8);
                        int32_t host = 7;
                        ok(d.table().upload(q, 4, &host, x), "upload");
                        host = 8;  // may be reused
                        ok(d.table().copy(q, 4, x, y), "copy");
                        check(get(q, y) == 7, "%d", get(q, y));
                        machine().calls.clear();
                        ok(d.table().upload(q, 0, nullptr, nullptr), "upload of nothing");
                        ok(d.table().download(q, 0, nullptr, nullptr), "download of nothing");
                        ok(d.table().copy(q, 0, nullptr, nullptr), "copy of nothing");
                        check(machine().calls.empty(), "nothing is nothing");
                        d.free(x);
                        d.free(y);
                        d.destroy(q);
                      }};

// What a kernel does that finds a fault: the lowest place stays.
void find(uint64_t *slot, uint64_t index, int32_t value) {
  *slot = std::min(*slot, index << 32 | uint32_t(value));
}

const Register faults{
    "faults surface where the queue is waited for, once", [] {
      fake::kernel(&find);
      Device d;
      cria_queue *q = d.queue(), *other = d.queue();
      GpuQueue &queue = queue_of(q);
      const auto find_in_data = [&](Fault kind, int64_t limit, uint64_t index, int32_t value) {
        launch(queue, "find", &find, {1}, 32, 0, queue.fault_slot(kind, limit), index, value);
      };
      find_in_data(Fault::embedding_id, 100, 9, -3);
      find_in_data(Fault::embedding_id, 100, 4, 100);
      ok(d.table().queue_synchronize(other), "another queue");
      refused(d.table().queue_synchronize(q), CRIA_INVALID_ARGUMENT,
              {"embedding", "ids[4]", "0..99", ": 100"});
      ok(d.table().queue_synchronize(q), "the second time");

      void *x = d.alloc(4);
      set(q, x, 6);
      find_in_data(Fault::gather_index, 5, 1, -1);
      int32_t value = 0;
      refused(d.table().download(q, 4, x, &value), CRIA_INVALID_ARGUMENT,
              {"gather_rows", "index[1]", "0..4", ": -1"});
      check(value == 6, "the values come all the same");
      find_in_data(Fault::scatter_index, 5, 2, 5);
      refused(d.table().queue_synchronize(q), CRIA_INVALID_ARGUMENT, {"scatter_add_rows", "[2]"});
      find_in_data(Fault::sample_row, 5, 3, 0);
      refused(d.table().queue_destroy(q), CRIA_NOT_FINITE, {"sample", "row 3"});
      check(machine().streams == 1, "the queue was not destroyed");
      d.free(x);
      d.destroy(other);
    }};

const Register errors{
    "errors of the runtime", [] {
      Device d;
      cria_queue *q = d.queue();
      void *x = d.alloc(4);
      machine().fail_next["cudaLaunchKernel"] = cudaErrorInvalidConfiguration;
      try {
        set(q, x, 1);
        check(false, "the launch failed");
      } catch (const cria::Error &e) {
        check(e.status == CRIA_DEVICE_ERROR && e.message.find("cuda: set: ") == 0, "%s",
              e.message.c_str());
      }
      check(machine().last_error == cudaSuccess, "the error lies around");
      set(q, x, 2);
      check(get(q, x) == 2, "the device works on");
      machine().fail_next["cudaMalloc"] = cudaErrorUnknown;
      void *y = nullptr;
      refused(d.table().alloc(d, 1000, &y), CRIA_DEVICE_ERROR, {"allocating memory"});
      check(d->memory.live == 4 && d->memory.objects == 2, "the failed allocation counts");

      // A fault of a kernel: every later call fails, and what frees does its best in silence.
      set(q, x, 3);
      machine().broken = cudaErrorIllegalAddress;
      refused(d.table().queue_synchronize(q), CRIA_DEVICE_ERROR,
              {"illegal memory access", "cudaErrorIllegalAddress"});
      refused(d.table().alloc(d, 1000, &y), CRIA_DEVICE_ERROR, {"cudaErrorIllegalAddress"});
      d.free(x);
      refused(d.table().queue_destroy(q), CRIA_DEVICE_ERROR, {"cudaErrorIllegalAddress"});
    }};

const Register peak{"peak rates", [] {
                      Device d;
                      double bytes = 0, bf16 = 0, f32 = 0;
                      ok(d.table().device_peak(d, &bytes, &bf16, &f32), "device_peak");
                      // An H100 SXM: 3.35 TB/s, 989 and 67 TFLOP/s.
                      check(bytes > 3.3e12 && bytes < 3.4e12, "%g", bytes);
                      check(bf16 > 980e12 && bf16 < 995e12, "%g", bf16);
                      check(f32 > 60e12 && f32 < 68e12, "%g", f32);
                    }};

}  // namespace
}  // namespace runtime_test
