package dev.cria.bench;

import dev.cria.DType;
import dev.cria.nn.Parameter;
import dev.cria.optim.AdamW;
import dev.cria.optim.AdamWConfig;
import dev.cria.optim.GradientBuffer;
import java.util.List;
import org.openjdk.jmh.annotations.Param;

/** What follows the backward pass, on as many weights as LoRA of a rank on all layers trains. */
public class OptimizerBenchmark extends OperationBenchmark {
  /** A step. */
  public enum Kind {
    ADAMW,
    /** Moments in 8 bits. */
    ADAMW_8BIT,
    /** Weights in bf16 with an f32 master copy. */
    ADAMW_BF16,
    GRADIENT_NORM,
    ZERO_GRADIENTS
  }

  @Param public Kind kind = Kind.ADAMW;

  @Param("16")
  public int rank;

  @Override
  protected Operation prepare() {
    long n = model.adapterSize(rank);
    DType type = kind == Kind.ADAMW_BF16 ? DType.BF16 : DType.F32;
    List<Parameter> parameters = List.of(new Parameter("weights", numbers(type, 0.02f, n), true));
    GradientBuffer gradients = own(new GradientBuffer(device(), parameters));
    return switch (kind) {
      case ADAMW -> step(parameters, false, 28.0 * n);
      case ADAMW_8BIT -> step(parameters, true, 16.0 * n);
      case ADAMW_BF16 -> step(parameters, false, 30.0 * n);
      case GRADIENT_NORM -> Operation.of(Work.f32(2.0 * n, 4.0 * n), gradients::norm);
      case ZERO_GRADIENTS -> Operation.of(Work.bytes(4.0 * n), gradients::zero);
    };
  }

  private Operation step(List<Parameter> parameters, boolean eightBit, double bytes) {
    for (Parameter parameter : parameters) {
      if (parameter.grad() != null) {
        parameter.grad().fill(0.01f);
      }
    }
    AdamW optimizer =
        own(new AdamW(parameters, new AdamWConfig(0.9, 0.999, 1e-8f, 0.01f, eightBit)));
    return Operation.of(Work.bytes(bytes), () -> optimizer.step(1e-4f, 1));
  }
}
