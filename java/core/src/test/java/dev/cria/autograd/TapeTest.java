package dev.cria.autograd;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.DeviceTest;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import dev.cria.optim.GradientBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class TapeTest extends DeviceTest {
  private static final long ROW_BYTES = 1000 * Float.BYTES;

  @Test
  void scopesInsideATapeFreeWhatIsNotKept() {
    Tensor x = randn(1, 1000);
    long before = device.liveBytes();
    try (Tape tape = Tape.record()) {
      tape.watch(x);
      Tensor z;
      try (Scope inner = Scope.open()) {
        Tensor shifted = Ops.addScalar(x, 1f); // kept, with its square, by the square
        Tensor doubled = Ops.mulScalar(Ops.square(shifted), 2f); // kept by nobody
        z = inner.promote(Ops.addScalar(doubled, 1f));
      }
      assertThat(device.liveBytes()).isEqualTo(before + 3 * ROW_BYTES);
      tape.backward(z, Tensor.full(device, 1f, 1000));
      // Left: z, the incoming gradient, the gradient of x.
      assertThat(device.liveBytes()).isEqualTo(before + 3 * ROW_BYTES);
    }
    assertThat(device.liveBytes()).isEqualTo(before + 2 * ROW_BYTES);
  }

  @Test
  void closingWithoutBackwardFreesWhatWasKept() {
    Tensor x = randn(1, 1000);
    long before = device.liveBytes();
    try (Tape tape = Tape.record();
        Scope inner = Scope.open()) {
      tape.watch(x);
      Ops.mul(Ops.square(x), x);
    }
    assertThat(device.liveBytes()).isEqualTo(before);
  }

  @Test
  void tensorsWithTwoKeepersStayUntilTheSecondHasRun() {
    Tensor x = randn(1, 3);
    try (Tape tape = Tape.record()) {
      tape.watch(x);
      Tensor z;
      try (Scope inner = Scope.open()) {
        Tensor y = Ops.square(x);
        z = inner.promote(Ops.add(Ops.mul(y, y), Ops.mul(y, x)));
      }
      tape.backward(z, Tensor.full(device, 1f, 3));
      float[] dx = tape.gradient(x).toFloats();
      float[] at = x.toFloats();
      for (int i = 0; i < 3; i++) {
        // d(x^4 + x^3) = 4 x^3 + 3 x^2, each term rounded a few times
        double v = at[i];
        assertThat((double) dx[i])
            .isCloseTo(
                4 * v * v * v + 3 * v * v,
                org.assertj.core.data.Offset.offset(
                    0x1p-20 * (4 * Math.abs(v * v * v) + 3 * v * v)));
      }
    }
  }

  @Test
  void frozenLinearKeepsNothing() {
    Weight.Dense w = new Weight.Dense(new Parameter("w", randn(1, 10, 10)));
    Tensor x = randn(2, 100, 10);
    long before = device.liveBytes();
    try (Tape tape = Tape.record()) {
      Tensor start = tape.watch(randn(3, 100, 10));
      Tensor y;
      try (Scope inner = Scope.open()) {
        y = inner.promote(Ops.linear(Ops.add(x, start), w));
      }
      assertThat(device.liveBytes()).isEqualTo(before + 2 * ROW_BYTES);
      tape.backward(y, randn(4, 100, 10));
      assertThat(tape.gradient(start).shape()).containsExactly(100, 10);
    }
  }

  @Test
  void adapterKeepsOnlyItsInputAndProduct() {
    Weight.Dense w = new Weight.Dense(new Parameter("w", randn(1, 10, 10)));
    Parameter a = new Parameter("a", randn(2, 5, 10), true);
    Parameter b = new Parameter("b", randn(3, 10, 5), true);
    try (GradientBuffer gradients = new GradientBuffer(device, List.of(a, b))) {
      Tensor x = randn(4, 100, 10);
      long before = device.liveBytes();
      try (Tape tape = Tape.record()) {
        try (Scope inner = Scope.open()) {
          Ops.linear(Ops.mulScalar(x, 1f), w, new LoraBranch(a, b, 1f, 0f), 0);
        }
        assertThat(device.liveBytes()).isEqualTo(before + ROW_BYTES + ROW_BYTES / 2);
      }
      try (Scope inner = Scope.open()) {
        Ops.linear(x, w, new LoraBranch(a, b, 1f, 0f), 0);
        assertThat(device.liveBytes()).as("not recorded").isEqualTo(before + ROW_BYTES);
      }
    }
  }

  @Test
  void parametersAccumulateAcrossBackwardPasses() {
    Parameter p = new Parameter("p", Tensor.of(device, new float[] {1, 2, 3}, 3), true);
    try (GradientBuffer gradients = new GradientBuffer(device, List.of(p))) {
      for (int pass = 0; pass < 2; pass++) {
        try (Tape tape = Tape.record()) {
          tape.backward(Ops.sum(Ops.square(p.value())));
        }
      }
      Tensor grad = requireNonNull(p.grad());
      assertThat(grad.toFloats()).containsExactly(4, 8, 12);
      p.setTrainable(false);
      try (Tape tape = Tape.record()) {
        Tensor loss = Ops.sum(Ops.square(p.value()));
        assertThatThrownBy(() -> tape.backward(loss))
            .isInstanceOf(CriaException.class)
            .hasMessageContaining("depends on nothing that needs a gradient");
      }
    }
    assertThat(p.grad()).isNull();
  }

  @Test
  void incomingGradientIsNotChanged() {
    Tensor x = randn(1, 4);
    Tensor incoming = randn(2, 4);
    float[] values = incoming.toFloats();
    Tensor gradient;
    try (Tape tape = Tape.record()) {
      tape.watch(x);
      // The gradient of the sum is shared by both operands, then added to in place.
      tape.backward(Ops.add(x, Ops.square(x)), incoming);
      assertThat(incoming.toFloats()).isEqualTo(values);
      gradient = scope.adopt(tape.gradient(x));
    }
    assertThat(gradient.toFloats()).hasSize(4).isNotEqualTo(values);
  }

  @Test
  void gradientsOfLeavesAreSeparateAndSurviveTheIncomingOne() {
    Tensor x = randn(1, 4);
    Tensor y = randn(2, 4);
    try (Tape tape = Tape.record()) {
      tape.watch(x);
      tape.watch(y);
      try (Scope inner = Scope.open()) {
        tape.backward(Ops.add(x, y), Tensor.full(device, 3f, 4));
      }
      tape.gradient(x).fill(5f);
      assertThat(tape.gradient(y).toFloats()).containsOnly(3f);
    }
  }

  @Test
  void intermediateGradientsCanBeWatched() {
    Tensor x = Tensor.of(device, new float[] {2f}, 1);
    try (Tape tape = Tape.record()) {
      tape.watch(x);
      Tensor y = tape.watch(Ops.square(x));
      tape.backward(Ops.square(y));
      assertThat(tape.gradient(y).item()).isEqualTo(8f);
      assertThat(tape.gradient(x).item()).isEqualTo(32f);
    }
  }

  @Test
  void unusedLeavesHaveGradientZero() {
    Tensor x = randn(1, 2);
    Tensor unused = randn(2, 3);
    try (Tape tape = Tape.record()) {
      tape.watch(x);
      tape.watch(unused);
      tape.backward(Ops.sum(x));
      assertThat(tape.gradient(unused).toFloats()).containsOnly(0f);
      assertThatThrownBy(() -> tape.gradient(randn(3, 1))).hasMessageContaining("not watched");
    }
  }

  @Test
  void detachAndPauseStopTheGradient() {
    Tensor x = randn(1, 4);
    try (Tape tape = Tape.record()) {
      tape.watch(x);
      assertThat(Tape.recording()).isTrue();
      Tensor constant = Tape.pause(() -> Ops.square(x));
      assertThat(tape.needsGradient(constant)).isFalse();
      assertThat(tape.needsGradient(x.detach())).isFalse();
      assertThat(tape.needsGradient(x.reshape(2, 2).rows(1, 1))).isTrue();
      tape.backward(Ops.sum(Ops.add(Ops.mul(x.detach(), x), constant)));
      assertThat(tape.gradient(x).toFloats()).isEqualTo(x.toFloats());
    }
    assertThat(Tape.recording()).isFalse();
  }

  @Test
  void backwardWantsAScalarOrAGradient() {
    Tensor x = randn(1, 4);
    try (Tape tape = Tape.record()) {
      tape.watch(x);
      Tensor y = Ops.square(x);
      assertThatThrownBy(() -> tape.backward(y))
          .hasMessageContaining("a scalar expected, got f32[4]");
      assertThatThrownBy(() -> tape.backward(y, randn(2, 3)))
          .hasMessage("backward: gradient f32[3] for output f32[4]");
    }
  }

  @Test
  void failingBackwardLeavesNoMemory() {
    Tensor x = randn(1, 1000);
    long before = device.liveBytes();
    assertThatThrownBy(
            () -> {
              try (Scope inner = Scope.open();
                  Tape tape = Tape.record()) {
                tape.watch(x);
                Tensor y = Ops.square(x);
                Tensor z = Tape.pause(() -> Ops.mulScalar(y, 2f));
                tape.append(
                    g -> {
                      Ops.mulScalar(g.output(), 2f);
                      throw new IllegalStateException("broken node");
                    },
                    z,
                    new @Nullable Tensor[] {y},
                    y);
                tape.backward(Ops.sum(z));
              }
            })
        .hasMessage("broken node");
    assertThat(device.liveBytes()).isEqualTo(before);
    assertThat(Tape.recording()).isFalse();
  }

  @Test
  void operationsOfUsersAreNodes() {
    GradientCheck.check(in -> cube(in[0]), randn(1, 5));
  }

  /** The example of {@link Node}. */
  private static Tensor cube(Tensor x) {
    Tensor y = Tape.pause(() -> Ops.mul(Ops.square(x), x));
    Tape tape = Tape.current();
    if (tape != null && tape.needsGradient(x)) {
      tape.append(
          g -> g.give(0, Ops.mul(g.output(), Ops.mulScalar(Ops.square(x), 3f))),
          y,
          new @Nullable Tensor[] {x},
          x);
    }
    return y;
  }

  @Test
  void nodesMayGiveTheGradientTheyGot() {
    Tensor x = Tensor.of(device, new float[] {3f}, 1);
    try (Tape tape = Tape.record()) {
      tape.watch(x);
      Tensor y = Tape.pause(() -> Ops.mulScalar(x, 1f));
      tape.append(
          g -> {
            g.give(0, g.output());
            g.give(1, g.output());
          },
          y,
          new @Nullable Tensor[] {x, x});
      tape.backward(Ops.square(y));
      assertThat(tape.gradient(x).toFloats()).containsExactly(12f);
    }
  }

  @Test
  void bf16ParametersGetF32Gradients() {
    Tensor table = randn(1, 4, 3).to(DType.BF16);
    Parameter p = new Parameter("table", table, true);
    try (GradientBuffer gradients = new GradientBuffer(device, List.of(p));
        Tape tape = Tape.record()) {
      Tensor y = Ops.embedding(table, Tensor.ofInts(device, new int[] {1, 1}, 2));
      tape.backward(y, Tensor.full(device, 1f, 2, 3));
      Tensor grad = requireNonNull(p.grad());
      assertThat(grad.toFloats()).containsExactly(0, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0, 0);
    }
  }
}
