// graphs.cpp: the CPU device runs work before a call returns, so there is none to record.
#include "abi/error.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

[[noreturn]] void unsupported(const char *operation) {
  fail(CRIA_UNSUPPORTED, "%s: the device 'cpu' records no work", operation);
}

}  // namespace

cria_status graph_begin(cria_queue *) { unsupported("graph_begin"); }
cria_status graph_end(cria_queue *, cria_graph **) { unsupported("graph_end"); }
cria_status graph_launch(cria_queue *, const cria_graph *) { unsupported("graph_launch"); }
cria_status graph_free(cria_graph *) { unsupported("graph_free"); }

}  // namespace cria::cpu
