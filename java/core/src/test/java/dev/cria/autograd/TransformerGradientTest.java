package dev.cria.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.DeviceTest;
import dev.cria.Tensor;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import org.junit.jupiter.api.Test;

class TransformerGradientTest extends DeviceTest {
  private static Weight.Dense dense(Tensor w) {
    return new Weight.Dense(new Parameter("w", w));
  }

  private Tensor positions(int... positions) {
    return Tensor.ofInts(device, positions, positions.length);
  }

  @Test
  void embedding() {
    GradientCheck.check(in -> Ops.embedding(in[0], positions(2, 0, 2, 1)), randn(1, 4, 3));
    assertThatThrownBy(() -> Ops.embedding(randn(1, 4, 3), positions(1, 4)))
        .hasMessageContaining("4");
  }

  @Test
  void rmsNorm() {
    GradientCheck.check(in -> Ops.rmsNorm(in[0], in[1], 1e-5f), randn(1, 3, 5), randn(2, 5));
    assertThatThrownBy(() -> Ops.rmsNorm(randn(1, 3, 5), randn(2, 4), 1e-5f))
        .hasMessage("rmsNorm: gain f32[4] does not fit rows of f32[3, 5]");
  }

  @Test
  void residualBranchAddsInPlace() {
    GradientCheck.check(
        in -> Ops.add(in[0], Ops.square(Ops.rmsNorm(in[0], in[1], 1e-5f))),
        randn(1, 3, 5),
        randn(2, 5));
  }

  @Test
  void rope() {
    Tensor frequencies = Tensor.of(device, new float[] {1f, 0.1f}, 2);
    GradientCheck.check(in -> Ops.rope(in[0], 2, positions(0, 3, 7), frequencies), randn(1, 3, 8));
    assertThatThrownBy(() -> Ops.rope(randn(1, 3, 6), 2, positions(0, 1, 2), frequencies))
        .hasMessage("rope: f32[3, 6] is not 2 heads of 4 (two per frequency)");
  }

  @Test
  void swiGlu() {
    GradientCheck.check(in -> Ops.swiGlu(in[0], in[1]), randn(1, 3, 4), randn(2, 3, 4));
  }

  @Test
  void attention() {
    // Three rows, then two answers that share the first two of them, one row outside.
    Sequences sequences = new Sequences(new int[] {0, 3, 0, 0, 3, 2, 0, 2, 5, 1, 0, 2});
    GradientCheck.check(
        in -> Ops.attention(in[0], in[1], in[2], 2, 1, sequences, 0.7f),
        randn(1, 7, 6),
        randn(2, 7, 3),
        randn(3, 7, 3));
    assertThatThrownBy(
            () ->
                Ops.attention(
                    randn(1, 4, 6), randn(2, 4, 3), randn(3, 4, 3), 2, 1, Sequences.of(5), 1f))
        .hasMessageContaining("does not lie within 4 rows");
  }

  @Test
  void attentionOfOneRowReturnsItsValue() {
    Tensor v = randn(3, 2, 4);
    Tensor y = Ops.attention(randn(1, 2, 4), randn(2, 2, 4), v, 1, 1, Sequences.of(1, 1), 0.5f);
    assertThat(y.toFloats()).isEqualTo(v.toFloats());
  }

  @Test
  void linear() {
    GradientCheck.check(in -> Ops.linear(in[0], dense(in[1])), randn(1, 3, 4), randn(2, 5, 4));
    assertThatThrownBy(() -> Ops.linear(randn(1, 3, 4), dense(randn(2, 5, 6))))
        .hasMessage("linear: inner dimensions differ: f32[3, 4] x [5, 6]^T");
  }

  @Test
  void linearWithAdapterAndDropout() {
    for (float dropout : new float[] {0f, 0.4f}) {
      GradientCheck.check(
          in ->
              Ops.linear(
                  in[0],
                  dense(in[1]),
                  new LoraBranch(
                      new Parameter("a", in[2]), new Parameter("b", in[3]), 0.5f, dropout),
                  77),
          randn(1, 3, 4),
          randn(2, 5, 4),
          randn(3, 2, 4),
          randn(4, 5, 2));
    }
  }

  @Test
  void projectionsOfOneInputAddTheirGradients() {
    GradientCheck.check(
        in -> Ops.mul(Ops.linear(in[0], dense(in[1])), Ops.linear(in[0], dense(in[2]))),
        randn(1, 3, 4),
        randn(2, 5, 4),
        randn(3, 5, 4));
  }
}
