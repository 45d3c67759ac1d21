package dev.cria.optim;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Device;
import dev.cria.DeviceTest;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.Checkpoint;
import dev.cria.autograd.Ops;
import dev.cria.autograd.Sequences;
import dev.cria.autograd.Tape;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Nf4Matrix;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Whole training steps of a one-block transformer over NF4 weights: memory, learning, bits. */
class TrainingStepTest extends DeviceTest {
  private static final int ROWS = 12;
  private static final int WIDTH = 64;
  private static final int HEADS = 4;
  private static final int VOCABULARY = 50;

  /** A block with an adapter on each projection, a trained norm, embedding and head. */
  private static final class Model implements AutoCloseable {
    final Device device;
    final Scope weights = Scope.detached();
    final Map<String, Nf4Matrix> matrices = new LinkedHashMap<>();
    final List<Parameter> parameters = new ArrayList<>();
    final Map<String, LoraBranch> adapters = new LinkedHashMap<>();
    final Parameter table;
    final Parameter gain;
    final Weight.Dense head;
    final GradientBuffer gradients;
    final AdamW adam;

    Model(Device device) {
      this.device = device;
      long[][] shapes = {
        {WIDTH, WIDTH},
        {WIDTH / 2, WIDTH},
        {WIDTH / 2, WIDTH},
        {WIDTH, WIDTH},
        {2 * WIDTH, WIDTH},
        {2 * WIDTH, WIDTH},
        {WIDTH, 2 * WIDTH}
      };
      String[] names = {"q", "k", "v", "o", "gate", "up", "down"};
      for (int i = 0; i < names.length; i++) {
        try (Scope scope = Scope.open()) {
          matrices.put(
              names[i], Nf4Matrix.quantize(normal(i, 0.1f, DType.F32, shapes[i]), 64, true));
        }
        Parameter a = parameter(names[i] + ".a", 20 + i, 0.1f, DType.F32, 4, shapes[i][1]);
        Parameter b = parameter(names[i] + ".b", 40 + i, 0.1f, DType.F32, shapes[i][0], 4);
        adapters.put(names[i], new LoraBranch(a, b, 0.5f, 0.1f));
      }
      table = parameter("table", 60, 1f, DType.BF16, VOCABULARY, WIDTH);
      gain = parameter("gain", 61, 1f, DType.F32, WIDTH);
      head = new Weight.Dense(parameter("head", 62, 0.1f, DType.F32, VOCABULARY, WIDTH));
      gradients = new GradientBuffer(device, parameters);
      adam = new AdamW(parameters, AdamWConfig.standard());
    }

    private Tensor normal(long key, float deviation, DType dtype, long... shape) {
      return Tensor.randn(device, key, 0f, deviation, dtype, shape);
    }

    private Parameter parameter(
        String name, long key, float deviation, DType dtype, long... shape) {
      Tensor value = weights.call(() -> normal(key, deviation, dtype, shape));
      Parameter parameter = new Parameter(name, value, true);
      parameters.add(parameter);
      return parameter;
    }

    private Tensor linear(String name, Tensor x, long key) {
      return Ops.linear(
          x, new Weight.Nf4(requireNonNull(matrices.get(name))), adapters.get(name), key);
    }

    private Tensor block(Tensor x, Tensor positions, Tensor frequencies, long key) {
      try (Scope scope = Scope.open()) {
        Tensor h = Ops.rmsNorm(x, gain.value(), 1e-6f);
        Tensor q = Ops.rope(linear("q", h, key), HEADS, positions, frequencies);
        Tensor k = Ops.rope(linear("k", h, key), HEADS / 2, positions, frequencies);
        Tensor v = linear("v", h, key);
        Tensor a = Ops.attention(q, k, v, HEADS, HEADS / 2, Sequences.of(5, ROWS - 5), 0.25f);
        Tensor x1 = Ops.add(x, linear("o", a, key + 1));
        Tensor h1 = Ops.rmsNorm(x1, gain.value(), 1e-6f);
        Tensor f = Ops.swiGlu(linear("gate", h1, key + 2), linear("up", h1, key + 2));
        return scope.promote(Ops.add(x1, linear("down", f, key + 3)));
      }
    }

    /** One step; returns the mean loss. */
    float step(int number, boolean recompute, Runnable beforeBackward) {
      try (Scope scope = Scope.open();
          Tape tape = Tape.record()) {
        int[] ids = new int[ROWS];
        int[] next = new int[ROWS];
        int[] place = new int[ROWS];
        for (int i = 0; i < ROWS; i++) {
          ids[i] = i * 7 % VOCABULARY;
          next[i] = i == 4 ? -100 : (i + 1) * 7 % VOCABULARY;
          place[i] = i < 5 ? i : i - 5;
        }
        Tensor positions = Tensor.ofInts(device, place, ROWS);
        Tensor labels = Tensor.ofInts(device, next, ROWS);
        Tensor frequencies = Tensor.uniform(device, 1, 0.1f, 1f, DType.F32, WIDTH / HEADS / 2);
        long key = 1000L * number;
        Tensor x = Ops.embedding(table.value(), Tensor.ofInts(device, ids, ROWS));
        Tensor h =
            recompute
                ? Checkpoint.run(in -> block(in, positions, frequencies, key), x)
                : block(x, positions, frequencies, key);
        Tensor loss = Ops.linearCrossEntropy(h, head, labels, null, 1f);
        beforeBackward.run();
        tape.backward(loss);
        float scale = 1f / (ROWS - 1);
        double norm = gradients.norm() * scale;
        adam.step(0.003f, (float) (scale * Math.min(1, 1 / norm)));
        gradients.zero();
        return loss.item() * scale;
      }
    }

    List<byte[]> bytes() {
      return parameters.stream().map(p -> p.value().toBytes()).toList();
    }

    @Override
    public void close() {
      adam.close();
      gradients.close();
      matrices.values().forEach(Nf4Matrix::close);
      weights.close();
    }
  }

  @Test
  void stepsLearnAndLeaveLiveBytesAsTheyWere() {
    try (Model model = new Model(device)) {
      float first = model.step(0, false, () -> {});
      long live = device.liveBytes();
      float last = first;
      for (int step = 1; step <= 30; step++) {
        last = model.step(step, false, () -> {});
        assertThat(device.liveBytes()).isEqualTo(live);
      }
      assertThat(last).isLessThan(first / 2);
    }
  }

  @Test
  void anExceptionInsideAStepLeavesLiveBytesAsTheyWere() {
    try (Model model = new Model(device)) {
      model.step(0, false, () -> {});
      long live = device.liveBytes();
      for (boolean recompute : new boolean[] {false, true}) {
        assertThatThrownBy(
                () ->
                    model.step(
                        1,
                        recompute,
                        () -> {
                          throw new IllegalStateException("in the middle");
                        }))
            .hasMessage("in the middle");
        assertThat(device.liveBytes()).isEqualTo(live);
      }
      // Out of memory somewhere in the backward pass.
      assertThatThrownBy(
              () -> model.step(1, false, () -> device.setLimit(device.liveBytes() + 1000)))
          .isInstanceOf(CriaException.class);
      device.setLimit(0);
      assertThat(device.liveBytes()).isEqualTo(live);
      assertThat(model.step(1, false, () -> {})).isPositive();
    } finally {
      device.setLimit(0);
    }
  }

  @Test
  void recomputationAndThreadsDoNotChangeTheBits() {
    List<byte[]> expected = train(2, false);
    assertSame(train(1, false), expected);
    assertSame(train(2, true), expected);
  }

  private static List<byte[]> train(int threads, boolean recompute) {
    try (Device own = Device.open("cpu", threads);
        Model model = new Model(own)) {
      for (int step = 0; step < 3; step++) {
        model.step(step, recompute, () -> {});
      }
      return model.bytes();
    }
  }

  private static void assertSame(List<byte[]> actual, List<byte[]> expected) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < expected.size(); i++) {
      assertThat(actual.get(i)).as("parameter %d", i).isEqualTo(expected.get(i));
    }
  }
}
