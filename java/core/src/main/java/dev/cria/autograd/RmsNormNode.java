package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Transformer;
import org.jspecify.annotations.Nullable;

/** Root-mean-square norm of rows (Zhang and Sennrich 2019). */
record RmsNormNode(Tensor x, Tensor gain, Tensor inverseRms) implements Node {
  static Tensor forward(Tensor x, Tensor gain, float eps) {
    Check.f32("rmsNorm", x);
    Check.f32("rmsNorm", gain);
    if (x.rank() < 1 || gain.rank() != 1 || x.dim(-1) != gain.dim(0)) {
      throw new CriaException("rmsNorm: gain " + gain + " does not fit rows of " + x);
    }
    long c = gain.size();
    long rows = c == 0 ? 0 : x.size() / c;
    Tape tape = Tape.tracking(x, gain);
    Tensor y = Tensor.empty(x.device(), DType.F32, x.shape());
    Tensor inverse = tape == null ? null : Tensor.empty(x.device(), DType.F32, rows);
    Transformer.rmsnorm(
        x.device().queue(),
        rows,
        c,
        eps,
        x.address(),
        gain.address(),
        y.address(),
        Tensor.address(inverse));
    if (tape != null && inverse != null) {
      tape.append(
          new RmsNormNode(x, gain, inverse), y, new @Nullable Tensor[] {x, gain}, x, gain, inverse);
    }
    return y;
  }

  @Override
  public void backward(Gradients g) {
    Tensor dy = g.output();
    boolean accumulate = g.wanted(0) && g.accumulates(0);
    Tensor dx = g.wanted(0) ? g.buffer(0) : Tensor.empty(dy.device(), DType.F32, x.shape());
    Tensor dgain = g.sumIfWanted(1);
    Transformer.rmsnormBwd(
        dy.device().queue(),
        inverseRms.size(),
        gain.size(),
        x.address(),
        gain.address(),
        inverseRms.address(),
        dy.address(),
        accumulate ? 1 : 0,
        dx.address(),
        Tensor.address(dgain));
  }
}
