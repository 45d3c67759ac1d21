package dev.cria.autograd;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Transformer;
import org.jspecify.annotations.Nullable;

/** silu(gate) * up (Shazeer 2020). */
record SwiGluNode(Tensor gate, Tensor up) implements Node {
  static Tensor forward(Tensor gate, Tensor up) {
    Check.sameShape("swiGlu", gate, up);
    Tensor y = Tensor.empty(gate.device(), DType.F32, gate.shape());
    Transformer.swiglu(
        gate.device().queue(), gate.size(), gate.address(), up.address(), y.address());
    Tape tape = Tape.tracking(gate, up);
    if (tape != null) {
      tape.append(new SwiGluNode(gate, up), y, new @Nullable Tensor[] {gate, up}, gate, up);
    }
    return y;
  }

  @Override
  public void backward(Gradients g) {
    Tensor dy = g.output();
    Tensor dgate = Tensor.empty(dy.device(), DType.F32, gate.shape());
    Tensor dup = Tensor.empty(dy.device(), DType.F32, up.shape());
    Transformer.swigluBwd(
        dy.device().queue(),
        dy.size(),
        gate.address(),
        up.address(),
        dy.address(),
        dgate.address(),
        dup.address());
    g.give(0, dgate);
    g.give(1, dup);
  }
}
