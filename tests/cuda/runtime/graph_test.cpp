// graph_test.cpp: recording work of a queue, running it again, and what must not happen meanwhile.
#include "harness.h"

namespace runtime_test {
namespace {

using cria::gpu::queue_of;
using cria::gpu::Scratch;
using fake::machine;

// *to = *from + 11 by way of scratch.
void through_scratch(cria_queue *queue, void *to, void *from) {
  Scratch scratch(queue_of(queue), 5000);
  add_to(queue, scratch.as<void>(), from, 10);
  add_to(queue, to, scratch.as<void>(), 1);
}

const Register life{
    "begin, end, launch, free", [] {
      Device d;
      cria_queue *q = d.queue();
      void *x = d.alloc(4), *y = d.alloc(4);
      set(q, x, 5);
      set(q, y, 0);
      machine().calls.clear();
      ok(d.table().graph_begin(q), "graph_begin");
      check(machine().count("cudaStreamSynchronize") > 0, "earlier work may run on");
      through_scratch(q, y, x);
      const int blocks = machine().live_blocks;
      through_scratch(q, y, x);
      check(machine().live_blocks == blocks, "operations do not share scratch");
      cria_graph *graph = nullptr;
      ok(d.table().graph_end(q, &graph), "graph_end");
      check(machine().graphs == 0 && machine().executables == 1, "the template is not kept");
      check(d->memory.objects == 4, "%d objects", int(d->memory.objects));
      check(get(q, y) == 0, "recording ran the work");
      for (const int value : {1, 2, 3}) {
        set(q, x, value);
        ok(d.table().graph_launch(q, graph), "graph_launch");
        check(get(q, y) == value + 11, "%d", get(q, y));
      }
      // Scratch of the graph serves nobody else.
      {
        Scratch other(queue_of(q), 5000);
        set(q, other.as<void>(), 77);
        ok(d.table().graph_launch(q, graph), "graph_launch");
        check(get(q, other.as<void>()) == 77, "the graph wrote into other scratch");
      }
      refused(d.table().queue_destroy(q), CRIA_INVALID_ARGUMENT, {"queue_destroy", "1 graphs"});
      ok(d.table().graph_launch(q, graph), "graph_launch");
      ok(d.table().graph_free(graph), "graph_free");  // the double reports freeing while it runs
      const int before = machine().count("cudaMalloc");
      {
        Scratch other(queue_of(q), 5000), second(queue_of(q), 5000);
        check(machine().count("cudaMalloc") == before, "its scratch did not come back");
      }
      d.free(x);
      d.free(y);
      d.destroy(q);
    }};

const Register misuse{
    "what a recording refuses", [] {
      Device d;
      cria_queue *q = d.queue(), *other = d.queue();
      void *x = d.alloc(4);
      int32_t host = 0;
      cria_graph *graph = nullptr;
      refused(d.table().graph_end(q, &graph), CRIA_INVALID_ARGUMENT, {"graph_end", "not record"});
      ok(d.table().graph_begin(q), "graph_begin");
      set(q, x, 1);
      machine().calls.clear();
      refused(d.table().graph_begin(q), CRIA_INVALID_ARGUMENT, {"graph_begin", "already"});
      refused(d.table().download(q, 4, x, &host), CRIA_UNSUPPORTED, {"download", "records"});
      refused(d.table().upload(q, 4, &host, x), CRIA_UNSUPPORTED, {"upload", "records"});
      refused(d.table().queue_synchronize(q), CRIA_UNSUPPORTED, {"queue_synchronize", "records"});
      check(machine().calls.empty(), "CUDA was asked");
      ok(d.table().graph_end(q, &graph), "graph_end");
      refused(d.table().graph_launch(other, graph), CRIA_INVALID_ARGUMENT, {"another queue"});
      ok(d.table().graph_begin(q), "graph_begin");
      refused(d.table().graph_launch(q, graph), CRIA_UNSUPPORTED, {"graph_launch", "records"});
      ok(d.table().graph_free(graph), "freed while its queue records");
      d.destroy(q);  // which ends the recording
      check(machine().executables == 0, "the recording is left");
      d.destroy(other);
      d.free(x);
    }};

const Register failures{
    "a capture that fails is cleaned up", [] {
      Device d;
      cria_queue *q = d.queue();
      void *x = d.alloc(4);
      cria_graph *graph = nullptr;
      machine().fail_next["cudaStreamBeginCapture"] = cudaErrorUnknown;
      refused(d.table().graph_begin(q), CRIA_DEVICE_ERROR, {"beginning a capture"});
      ok(d.table().queue_synchronize(q), "the queue does not record");

      ok(d.table().graph_begin(q), "graph_begin");
      through_scratch(q, x, x);
      machine().fail_next["cudaLaunchKernel"] = cudaErrorInvalidConfiguration;
      bool thrown = false;
      try {
        through_scratch(q, x, x);
      } catch (const cria::Error &) {
        thrown = true;
      }
      check(thrown, "a launch that fails while recording");
      machine().fail_next["cudaStreamEndCapture"] = cudaErrorStreamCaptureInvalidated;
      refused(d.table().graph_end(q, &graph), CRIA_DEVICE_ERROR, {"ending a capture"});

      ok(d.table().graph_begin(q), "graph_begin");
      through_scratch(q, x, x);
      machine().fail_next["cudaGraphInstantiate"] = cudaErrorUnknown;
      refused(d.table().graph_end(q, &graph), CRIA_DEVICE_ERROR, {"instantiating"});
      check(machine().graphs == 0 && d->memory.objects == 2, "something is left");

      // The queue works on, and the scratch of the failed recordings is there again.
      set(q, x, 4);
      const int before = machine().count("cudaMalloc");
      through_scratch(q, x, x);
      check(get(q, x) == 15 && machine().count("cudaMalloc") == before, "%d", get(q, x));
      d.free(x);
      d.destroy(q);
    }};

const Register memory{"memory while a queue records", [] {
                        Device d;
                        cria_queue *q = d.queue(), *other = d.queue();
                        void *x = d.alloc(4), *a = d.alloc(300 << 10);
                        set(other, a, 1);
                        d.free(a);
                        ok(d.table().graph_begin(q), "graph_begin");
                        through_scratch(q, x, x);
                        // Of other queues: a block that must wait waits, but not for the queue that records.
                        machine().calls.clear();
                        check(d.alloc(300 << 10) == a, "the block was not used again");
                        check(machine().count("cudaStreamSynchronize") == 1, "waits");
                        d.free(a);
                        // The driver may not free meanwhile, so idle memory stays and the request fails.
                        void *b = nullptr;
                        refused(d.table().alloc(d, 800 << 10, &b), CRIA_OUT_OF_MEMORY, {"alloc"});
                        check(machine().count("cudaFree") == 0, "freed while a queue records");
                        cria_graph *graph = nullptr;
                        ok(d.table().graph_end(q, &graph), "graph_end");
                        b = d.alloc(800 << 10);
                        ok(d.table().graph_launch(q, graph), "graph_launch");
                        ok(d.table().graph_free(graph), "graph_free");
                        d.free(b);
                        d.free(x);
                        d.destroy(q);
                        d.destroy(other);
                      }};

const Register broken{
    "a graph on a device that failed", [] {
      Device d;
      cria_queue *q = d.queue();
      void *x = d.alloc(4);
      ok(d.table().graph_begin(q), "graph_begin");
      set(q, x, 1);
      cria_graph *graph = nullptr;
      ok(d.table().graph_end(q, &graph), "graph_end");
      machine().broken = cudaErrorIllegalAddress;
      refused(d.table().graph_launch(q, graph), CRIA_DEVICE_ERROR, {"cudaErrorIllegalAddress"});
      refused(d.table().graph_free(graph), CRIA_DEVICE_ERROR, {"cudaErrorIllegalAddress"});
      d.free(x);
      refused(d.table().queue_destroy(q), CRIA_DEVICE_ERROR, {});
    }};

}  // namespace
}  // namespace runtime_test
