// graphs.cpp: entries that record work of a queue and run it again.
#include "abi/call.h"

using namespace cria;

cria_status cria_graph_begin(cria_queue *queue) {
  return guarded("graph_begin",
                 [&](const Arguments &check) { return check.queue(queue).graph_begin(queue); });
}

cria_status cria_graph_end(cria_queue *queue, cria_graph **graph) {
  return guarded("graph_end", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.handle("graph", graph);
    return table.graph_end(queue, graph);
  });
}

cria_status cria_graph_launch(cria_queue *queue, const cria_graph *graph) {
  return guarded("graph_launch", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.handle("graph", graph);
    check.same_device(queue, device_of_handle(graph));
    return table.graph_launch(queue, graph);
  });
}

cria_status cria_graph_free(cria_graph *graph) {
  return guarded("graph_free", [&](const Arguments &) -> cria_status {
    return graph ? device_of_handle(graph)->table->graph_free(graph) : CRIA_OK;
  });
}
