package dev.cria.bench;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Nf4Matrix;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import dev.cria.optim.GradientBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Param;

/**
 * Linear layers of NF4 weights, with a LoRA adapter where the rank is not 0. Backward is the
 * gradient of the input, and those of the adapter. The weights take turns; with one token all that
 * matters is how fast they come from memory.
 */
public class Nf4LinearBenchmark extends OperationBenchmark {
  @Param public Projection projection = Projection.SQUARE;

  @Param({"1", "64", "512", "2048"})
  public int tokens;

  @Param({"0", "16"})
  public int rank;

  @Param({"FORWARD", "BACKWARD"})
  public Direction direction = Direction.FORWARD;

  @Override
  protected Operation prepare() {
    int k = projection.in(model);
    int n = projection.out(model);
    Turns<Weight> weights = weights(n, k);
    LoraBranch lora = rank == 0 ? null : lora(n, k);
    Tensor x = numbers(tokens, k);
    double m = tokens;
    double product = 2 * m * n * k;
    double adapter = 2 * m * rank * (n + k);
    double read = Work.nf4Bytes(n, k) + 4.0 * rank * (n + k);
    return differentiable(
        direction,
        List.of(x),
        () -> Ops.linear(x, weights.next(), lora, 0),
        numbers(tokens, n),
        Work.bf16(product + adapter, read + 4 * m * (n + k)),
        Work.bf16(
            product + 2 * adapter,
            read + 4 * m * (n + k) + (rank == 0 ? 0 : 4 * m * k + 4.0 * rank * (n + k))));
  }

  private Turns<Weight> weights(int n, int k) {
    Tensor numbers = numbers(DType.F32, 0.02f, n, k);
    Nf4Matrix first = own(Nf4Matrix.quantize(numbers, 64, true));
    numbers.close();
    Nf4Matrix.Parts parts = first.export();
    return new Turns<>(
        model.turns(first.byteSize()),
        i -> new Weight.Nf4(i == 0 ? first : own(Nf4Matrix.of(device(), parts))));
  }

  private @Nullable LoraBranch lora(int n, int k) {
    Parameter a = new Parameter("a", numbers(DType.F32, 0.02f, rank, k), true);
    Parameter b = new Parameter("b", numbers(DType.F32, 0.02f, n, rank), true);
    own(new GradientBuffer(device(), List.of(a, b)));
    return new LoraBranch(a, b, 1, 0);
  }
}
