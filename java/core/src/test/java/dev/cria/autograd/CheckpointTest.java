package dev.cria.autograd;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.DeviceTest;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Nf4Matrix;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import dev.cria.optim.GradientBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

class CheckpointTest extends DeviceTest {
  private static final int WIDTH = 64;
  private static final int ROWS = 9;

  /** A residual block over an NF4 weight with an adapter, dropout and a trained norm. */
  private static final class Block implements Function<Tensor, Tensor>, AutoCloseable {
    final Parameter gain;
    final Parameter a;
    final Parameter b;
    private final Nf4Matrix matrix;
    private final long key;

    Block(int seed) {
      gain = new Parameter(seed + ".gain", randn(10 + seed, WIDTH), true);
      a = new Parameter(seed + ".a", randn(20 + seed, 4, WIDTH), true);
      b = new Parameter(seed + ".b", randn(30 + seed, WIDTH, 4), true);
      matrix = Nf4Matrix.quantize(randn(40 + seed, WIDTH, WIDTH), 64, true);
      key = 1000L + seed;
    }

    @Override
    public Tensor apply(Tensor x) {
      try (Scope inner = Scope.open()) {
        Tensor h = Ops.rmsNorm(x, gain.value(), 1e-5f);
        LoraBranch lora = new LoraBranch(a, b, 0.5f, 0.25f);
        Tensor y = Ops.linear(h, new Weight.Nf4(matrix), lora, key);
        return inner.promote(Ops.add(x, Ops.silu(y)));
      }
    }

    @Override
    public void close() {
      matrix.close();
    }
  }

  @Test
  void recomputationGivesTheSameBits() {
    try (Block first = new Block(1);
        Block second = new Block(2)) {
      List<Parameter> parameters =
          List.of(first.gain, first.a, first.b, second.gain, second.a, second.b);
      Tensor x = randn(5, ROWS, WIDTH);
      List<float[]> plain = run(parameters, List.of(first, second), x);
      List<float[]> recomputed =
          run(
              parameters,
              List.of(in -> Checkpoint.run(first, in), in -> Checkpoint.run(second, in)),
              x);
      assertThat(recomputed).hasSameSizeAs(plain);
      for (int i = 0; i < plain.size(); i++) {
        assertThat(recomputed.get(i)).as("result %d", i).isEqualTo(plain.get(i));
      }
    }
  }

  /** Output, gradient of the input and gradients of the parameters. */
  private List<float[]> run(
      List<Parameter> parameters, List<? extends Function<Tensor, Tensor>> blocks, Tensor x) {
    List<float[]> results = new ArrayList<>();
    try (GradientBuffer gradients = new GradientBuffer(device, parameters);
        Scope inner = Scope.open();
        Tape tape = Tape.record()) {
      Tensor h = tape.watch(x);
      for (Function<Tensor, Tensor> block : blocks) {
        h = block.apply(h);
      }
      results.add(h.toFloats());
      tape.backward(h, randn(6, ROWS, WIDTH));
      results.add(tape.gradient(x).toFloats());
      for (Parameter parameter : parameters) {
        Tensor grad = requireNonNull(parameter.grad());
        results.add(grad.toFloats());
      }
    }
    return results;
  }

  @Test
  void onlyTheInputIsKept() {
    try (Block block = new Block(1);
        GradientBuffer gradients =
            new GradientBuffer(device, List.of(block.gain, block.a, block.b))) {
      Tensor x = randn(5, ROWS, WIDTH);
      long before = device.liveBytes();
      try (Tape tape = Tape.record()) {
        Tensor y = Checkpoint.run(block, x);
        assertThat(device.liveBytes()).isEqualTo(before + y.byteSize());
        tape.backward(y, randn(6, ROWS, WIDTH));
        y.close();
      }
      // The incoming gradient belongs to the test.
      assertThat(device.liveBytes()).isEqualTo(before + x.byteSize());
      Tensor grad = requireNonNull(block.a.grad());
      assertThat(grad.toFloats()).isNotEqualTo(new float[4 * WIDTH]);
    }
  }

  @Test
  void blocksMayNotUseRecordedTensorsFromOutside() {
    Tensor x = randn(1, 3);
    try (Tape tape = Tape.record()) {
      tape.watch(x);
      Tensor outside = Ops.square(x);
      Tensor y = Checkpoint.run(in -> Ops.mul(in, outside), x);
      assertThatThrownBy(() -> tape.backward(Ops.sum(y)))
          .hasMessageContaining("it must be the input of the block");
    }
  }

  @Test
  void blocksThatReturnTheirInputPassTheGradient() {
    Tensor x = randn(1, 3);
    try (Tape tape = Tape.record()) {
      tape.watch(x);
      tape.backward(Ops.sum(Checkpoint.run(in -> in, x)));
      assertThat(tape.gradient(x).toFloats()).containsOnly(1f);
    }
    assertThat(Checkpoint.run(Ops::square, x).toFloats()).isEqualTo(Ops.square(x).toFloats());
  }
}
