package dev.cria.llm.generate;

import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Graph;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.llm.ForwardContext;
import dev.cria.llm.KvState;
import dev.cria.llm.Llama;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * One step of decoding as a graph: from a token to the logits of the next. On a GPU a step of one
 * token would else take as long to launch as to run.
 */
final class TokenGraph implements AutoCloseable {
  private final Scope memory;
  private final KvState kv;
  private final Tensor input; // token, position
  private final Tensor logits;
  private final Graph graph;

  private TokenGraph(Scope memory, KvState kv, Tensor input, Tensor logits, Graph graph) {
    this.memory = memory;
    this.kv = kv;
    this.input = input;
    this.logits = logits;
    this.graph = graph;
  }

  /** Records the step; empty where the device does not record. */
  static Optional<TokenGraph> record(Llama model, KvState kv, ForwardContext context) {
    Device device = model.device();
    Scope memory = Scope.detached();
    Tensor[] made = new Tensor[2];
    Optional<Graph> graph = Optional.empty();
    try {
      memory.run(() -> made[0] = Tensor.empty(device, DType.I32, 2));
      graph =
          Graph.record(
              device,
              () ->
                  memory.run(
                      () -> {
                        Tensor token = made[0].rows(0, 1);
                        Tensor hidden = model.decode(token, made[0].rows(1, 1), kv, context);
                        made[1] = model.logits(hidden);
                      }));
    } finally {
      if (graph.isEmpty()) {
        memory.close();
      }
    }
    return graph.map(g -> new TokenGraph(memory, kv, made[0], made[1], g));
  }

  boolean isOfThisThread() {
    return graph.isOfThisThread();
  }

  /** Takes the token in; the logits hold until the next run. */
  Tensor run(int token) {
    input.copyFrom(MemorySegment.ofArray(new int[] {token, (int) kv.length()}));
    graph.run();
    return logits;
  }

  @Override
  public void close() {
    graph.close();
    memory.close();
  }
}
