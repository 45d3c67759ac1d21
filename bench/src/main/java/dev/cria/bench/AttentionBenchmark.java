package dev.cria.bench;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.autograd.Sequences;
import java.util.List;
import org.openjdk.jmh.annotations.Param;

/**
 * Causal attention over one sequence. Only pairs that see each other count as work, and backward,
 * the gradients of queries, keys and values, as 2.5 times forward.
 */
public class AttentionBenchmark extends OperationBenchmark {
  @Param({"512", "2048"})
  public int tokens;

  @Param({"FORWARD", "BACKWARD"})
  public Direction direction = Direction.FORWARD;

  @Override
  protected Operation prepare() {
    int heads = model.heads;
    Tensor q = numbers(tokens, model.width);
    Tensor k = numbers(tokens, model.width);
    Tensor v = numbers(tokens, model.width);
    float scale = (float) (1 / Math.sqrt(model.headWidth()));
    Sequences one = Sequences.of(tokens);
    double flops = 4.0 * model.width * (tokens * (tokens + 1.0) / 2);
    double bytes = 16.0 * tokens * model.width;
    return differentiable(
        direction,
        List.of(q, k, v),
        () -> Ops.attention(q, k, v, heads, heads, one, scale, DType.BF16),
        numbers(tokens, model.width),
        Work.bf16(flops, bytes),
        Work.bf16(2.5 * flops, 2 * bytes));
  }
}
