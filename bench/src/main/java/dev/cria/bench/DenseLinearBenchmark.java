package dev.cria.bench;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import java.util.List;
import org.openjdk.jmh.annotations.Param;

/** Linear layers of bf16 and f32 weights. With one token they take turns. */
public class DenseLinearBenchmark extends OperationBenchmark {
  /** A layer. */
  public enum Layer {
    /** The output layer: C to the vocabulary. */
    HEAD_BF16,
    /** C to C. */
    SQUARE_F32,
    /** C to the hidden width. */
    UP_F32;

    DType type() {
      return this == HEAD_BF16 ? DType.BF16 : DType.F32;
    }

    int out(Model model) {
      return switch (this) {
        case HEAD_BF16 -> model.vocabulary;
        case SQUARE_F32 -> model.width;
        case UP_F32 -> model.hidden;
      };
    }
  }

  @Param public Layer layer = Layer.HEAD_BF16;

  @Param({"1", "64", "512", "2048"})
  public int tokens;

  @Param public Direction direction = Direction.FORWARD;

  @Override
  protected Operation prepare() {
    DType type = layer.type();
    int k = model.width;
    int n = layer.out(model);
    double weightBytes = (double) type.bytes() * n * k;
    boolean trained = direction == Direction.BACKWARD_WEIGHT;
    Tensor gradient = trained ? Tensor.zeros(device(), DType.F32, n, k) : null;
    Turns<Weight> weights =
        new Turns<>(
            trained ? 1 : model.turns(weightBytes),
            i -> {
              Parameter weight = new Parameter("w", numbers(type, 0.02f, n, k), trained);
              weight.attachGrad(gradient);
              return new Weight.Dense(weight);
            });
    Tensor x = numbers(tokens, k);
    double m = tokens;
    double flops = 2 * m * n * k;
    double activations = 4 * m * (n + k);
    Work.Unit unit = type == DType.F32 ? Work.Unit.F32 : Work.Unit.BF16;
    return differentiable(
        direction,
        trained ? List.of() : List.of(x),
        () -> Ops.linear(x, weights.next()),
        numbers(tokens, n),
        new Work(flops, weightBytes + activations, unit),
        // The gradient of a weight is added to what is there: read and written.
        new Work(flops, (trained ? 8.0 * n * k : weightBytes) + activations, unit));
  }
}
