package dev.cria.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.CriaException;
import dev.cria.DeviceTest;
import dev.cria.Tensor;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class ElementaryGradientTest extends DeviceTest {
  /** Numbers in [0.5, 1.5): away from poles and kinks. */
  private Tensor positive(long seed, long... shape) {
    return Ops.addScalar(Ops.sigmoid(randn(seed, shape)), 0.5f);
  }

  /** Numbers at least 0.25 away from 0. */
  private Tensor awayFromZero(long seed, long... shape) {
    Tensor x = randn(seed, shape);
    float[] values = x.toFloats();
    for (int i = 0; i < values.length; i++) {
      values[i] += Math.copySign(0.25f, values[i]);
    }
    x.copyFrom(values);
    return x;
  }

  private void unary(UnaryOperator<Tensor> function, Tensor x) {
    GradientCheck.check(in -> function.apply(in[0]), x);
  }

  @Test
  void smoothFunctions() {
    unary(Ops::neg, randn(1, 3, 5));
    unary(Ops::exp, randn(2, 3, 5));
    unary(Ops::square, randn(3, 3, 5));
    unary(Ops::sigmoid, randn(4, 3, 5));
    unary(Ops::logSigmoid, randn(5, 3, 5));
    unary(Ops::silu, randn(6, 3, 5));
    unary(Ops::tanh, randn(7, 3, 5));
    unary(x -> Ops.addScalar(x, 3f), randn(8, 3, 5));
    unary(x -> Ops.mulScalar(x, -2f), randn(9, 3, 5));
  }

  @Test
  void functionsOfPositiveNumbers() {
    unary(Ops::log, positive(1, 7));
    unary(Ops::sqrt, positive(2, 7));
  }

  @Test
  void functionsWithAKink() {
    unary(Ops::relu, awayFromZero(1, 17));
    unary(Ops::abs, awayFromZero(2, 17));
  }

  @Test
  void pairsOfOneShape() {
    GradientCheck.check(in -> Ops.add(in[0], in[1]), randn(1, 2, 3), randn(2, 2, 3));
    GradientCheck.check(in -> Ops.sub(in[0], in[1]), randn(1, 2, 3), randn(2, 2, 3));
    GradientCheck.check(in -> Ops.mul(in[0], in[1]), randn(1, 2, 3), randn(2, 2, 3));
    GradientCheck.check(in -> Ops.div(in[0], in[1]), randn(1, 2, 3), positive(2, 2, 3));
    Tensor a = randn(3, 2, 3);
    Tensor b = Ops.add(a, awayFromZero(4, 2, 3));
    GradientCheck.check(in -> Ops.maximum(in[0], in[1]), a, b);
    GradientCheck.check(in -> Ops.minimum(in[0], in[1]), a, b);
  }

  @Test
  void pairsThatBroadcast() {
    GradientCheck.check(in -> Ops.add(in[0], in[1]), randn(1, 2, 3, 4), randn(2, 3, 1));
    GradientCheck.check(in -> Ops.sub(in[0], in[1]), randn(1, 4), randn(2, 2, 3, 4));
    GradientCheck.check(in -> Ops.mul(in[0], in[1]), randn(1, 2, 1, 4), randn(2, 3, 1));
    GradientCheck.check(in -> Ops.div(in[0], in[1]), randn(1, 2, 3), positive(2));
    assertThatThrownBy(() -> Ops.add(randn(1, 2, 3), randn(2, 4)))
        .isInstanceOf(CriaException.class)
        .hasMessage("add: shapes do not broadcast: f32[2, 3] and f32[4]");
  }

  @Test
  void oneTensorUsedTwice() {
    GradientCheck.check(in -> Ops.mul(in[0], in[0]), randn(1, 5));
    GradientCheck.check(in -> Ops.add(in[0], in[0]), randn(1, 5));
    GradientCheck.check(
        in -> Ops.add(Ops.square(in[0]), Ops.add(in[0], Ops.neg(in[0]))), randn(1, 5));
  }

  @Test
  void matrixProducts() {
    for (int form = 0; form < 4; form++) {
      boolean ta = (form & 1) != 0;
      boolean tb = (form & 2) != 0;
      Tensor a = ta ? randn(1, 3, 2) : randn(1, 2, 3);
      Tensor b = tb ? randn(2, 4, 3) : randn(2, 3, 4);
      assertThat(Ops.matmul(a, b, ta, tb).shape()).containsExactly(2, 4);
      GradientCheck.check(in -> Ops.matmul(in[0], in[1], ta, tb), a, b);
      Tensor many = ta ? randn(3, 2, 3, 2) : randn(3, 2, 2, 3);
      Tensor others = tb ? randn(4, 2, 4, 3) : randn(4, 2, 3, 4);
      GradientCheck.check(in -> Ops.matmul(in[0], in[1], ta, tb), many, others);
    }
    GradientCheck.check(in -> Ops.matmul(in[0], in[1]), randn(1, 2, 2, 3), randn(2, 3, 4));
    GradientCheck.check(in -> Ops.matmul(in[0], in[0], false, true), randn(1, 3, 2));
    assertThatThrownBy(() -> Ops.matmul(randn(1, 4, 5), randn(2, 6, 7)))
        .hasMessage("matmul: inner dimensions differ: [4, 5] x [6, 7]");
  }

  @Test
  void matrixProductByHand() {
    Tensor a = Tensor.of(device, new float[] {1, 2, 3, 4}, 2, 2);
    Tensor b = Tensor.of(device, new float[] {5, 6, 7, 8}, 2, 2);
    assertThat(Ops.matmul(a, b).toFloats()).containsExactly(19, 22, 43, 50);
    assertThat(Ops.matmul(a, b, true, false).toFloats()).containsExactly(26, 30, 38, 44);
    assertThat(Ops.matmul(a, b, false, true).toFloats()).containsExactly(17, 23, 39, 53);
  }

  @Test
  void softmaxes() {
    GradientCheck.check(in -> Ops.softmax(in[0]), randn(1, 3, 5));
    GradientCheck.check(in -> Ops.logSoftmax(in[0]), randn(1, 2, 2, 5));
    for (float p : Ops.softmax(Tensor.zeros(device, dev.cria.DType.F32, 2, 4)).toFloats()) {
      assertThat(p).isEqualTo(0.25f);
    }
  }

  @Test
  void reductions() {
    GradientCheck.check(in -> Ops.sum(in[0]), randn(1, 2, 3));
    GradientCheck.check(in -> Ops.mean(in[0]), randn(1, 2, 3));
    for (int axis = 0; axis < 3; axis++) {
      int place = axis;
      GradientCheck.check(in -> Ops.sum(in[0], place), randn(1, 2, 3, 4));
      GradientCheck.check(in -> Ops.mean(in[0], place - 3), randn(1, 2, 3, 4));
    }
    assertThat(Ops.sum(randn(1, 2, 3, 4), 1).shape()).containsExactly(2, 4);
    assertThatThrownBy(() -> Ops.sum(randn(1, 2), 1)).hasMessage("sum: f32[2] has no axis 1");
  }

  @Test
  void maximaShareTheGradientEvenly() {
    // Distances of 1 keep the order under small moves.
    Tensor x = Tensor.of(device, new float[] {1, 5, 3, 4, 0, 2}, 2, 3);
    GradientCheck.check(in -> Ops.max(in[0]), x);
    GradientCheck.check(in -> Ops.max(in[0], 1), x);
    GradientCheck.check(in -> Ops.max(in[0], 0), x);
    Tensor tied = Tensor.of(device, new float[] {2, 7, 7, 1}, 4);
    try (Tape tape = Tape.record()) {
      tape.watch(tied);
      tape.backward(Ops.max(tied));
      assertThat(tape.gradient(tied).toFloats()).containsExactly(0f, 0.5f, 0.5f, 0f);
    }
  }

  @Test
  void movesOfElements() {
    GradientCheck.check(in -> Ops.square(Ops.reshape(in[0], 3, -1)), randn(1, 2, 6));
    GradientCheck.check(in -> Ops.transpose(in[0], 2, 0, 1), randn(1, 2, 3, 4));
    GradientCheck.check(in -> Ops.slice(in[0], 1, 1, 2), randn(1, 2, 4, 3));
    GradientCheck.check(in -> Ops.slice(in[0], 0, 1, 2), randn(1, 4, 3));
    GradientCheck.check(in -> in[0].rows(0, 2).reshape(6), randn(1, 4, 3));
    GradientCheck.check(
        in -> Ops.concat(1, in[0], in[1], in[0]), randn(1, 2, 1, 2), randn(2, 2, 3, 2));
    GradientCheck.check(in -> Ops.broadcastTo(in[0], 2, 3, 4), randn(1, 3, 1));
    Tensor x = Tensor.of(device, new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
    assertThat(Ops.transpose(x, 1, 0).toFloats()).containsExactly(1, 4, 2, 5, 3, 6);
    assertThat(Ops.slice(x, -1, 1, 2).toFloats()).containsExactly(2, 3, 5, 6);
    assertThat(Ops.concat(0, x, x.rows(1, 1)).shape()).containsExactly(3, 3);
    assertThatThrownBy(() -> Ops.slice(x, 1, 2, 2))
        .hasMessage("slice: 2 to 4 on axis 1 of f32[2, 3]");
  }

  @Test
  void picksByIndex() {
    Tensor index = Tensor.ofInts(device, new int[] {2, 0, 2}, 3);
    GradientCheck.check(in -> Ops.gatherRows(in[0], index), randn(1, 4, 2));
    GradientCheck.check(in -> Ops.pick(in[0], index), randn(1, 3, 4));
    GradientCheck.check(in -> Ops.segmentSum(in[0], 0, 2, 2, 5), randn(1, 5));
    GradientCheck.check(in -> Ops.segmentSum(in[0], 1, 3), randn(1, 5));
    Tensor x = Tensor.of(device, new float[] {1, 2, 3, 4, 5, 6}, 3, 2);
    Tensor columns = Tensor.ofInts(device, new int[] {1, 0, 1}, 3);
    assertThat(Ops.pick(x, columns).toFloats()).containsExactly(2, 3, 6);
    assertThatThrownBy(() -> Ops.pick(x, index)).hasMessage("pick: index 2 in row 0 of f32[3, 2]");
    assertThat(Ops.segmentSum(x.reshape(6), 0, 2, 2, 6).toFloats()).containsExactly(3, 0, 18);
  }

  @Test
  void castsPassTheGradient() {
    Tensor x = Tensor.of(device, new float[] {1.5f, -2f}, 2).to(dev.cria.DType.BF16);
    try (Tape tape = Tape.record()) {
      tape.watch(x);
      tape.backward(Ops.sum(Ops.square(Ops.toF32(x))));
      assertThat(tape.gradient(x).toFloats()).containsExactly(3f, -4f);
    }
  }
}
