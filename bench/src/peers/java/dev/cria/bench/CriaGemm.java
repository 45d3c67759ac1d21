package dev.cria.bench;

import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;

/** The linear layer of Cria. */
record CriaGemm(Tensor x, Weight weight) implements Gemm {
  CriaGemm(Tensor x, Tensor w) {
    this(x, new Weight.Dense(new Parameter("w", w)));
  }

  @Override
  public void multiply() {
    product();
  }

  @Override
  public float[] result() {
    try (Scope scope = Scope.open()) {
      return product().toFloats();
    }
  }

  @Override
  public void close() {}

  private Tensor product() {
    return Ops.linear(x, weight);
  }
}
