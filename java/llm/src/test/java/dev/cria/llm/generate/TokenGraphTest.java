package dev.cria.llm.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.cria.Device;
import dev.cria.NativeException;
import dev.cria.Scope;
import dev.cria.llm.KvState;
import dev.cria.llm.Llama;
import dev.cria.llm.Tiny;
import dev.cria.llm.Weights;
import dev.cria.llm.lora.Lora;
import dev.cria.llm.lora.LoraConfig;
import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Decoding by a graph on the emulated GPU gives the bits of decoding call by call. */
@NullUnmarked
class TokenGraphTest {
  private Device device;
  private Llama model;

  @BeforeEach
  void open() {
    try {
      device = Device.open("simt");
    } catch (NativeException e) {
      assumeTrue(false, "libcria_simt.so is not built (cmake -P native/cmake/build.cmake)");
    }
    model = Llama.init(Tiny.config(true, 2), device, Weights.NF4, 21);
    Tiny.fillB(Lora.attach(model, LoraConfig.of(4, 8), 5), 6);
  }

  @AfterEach
  void close() {
    if (model != null) {
      model.close();
      assertThat(device.liveBytes()).isZero();
      device.close();
    }
  }

  private float[] logits(KvState kv, int... ids) {
    try (Scope scope = Scope.open()) {
      var hidden = model.decode(ids, kv, model.inference());
      return model.logits(hidden.rows(ids.length - 1, 1)).toFloats();
    }
  }

  @Test
  void logitsHaveTheBitsOfASingleStep() {
    int[] text = Tiny.tokens(3, 12);
    try (KvState direct = model.newState(40);
        KvState recorded = model.newState(40);
        TokenGraph graph = TokenGraph.record(model, recorded, model.inference()).orElseThrow()) {
      assertThat(recorded.length()).isZero();
      for (int token : text) {
        assertThat(graph.run(token).toFloats()).isEqualTo(logits(direct, token));
      }
      // A prompt read in one pass between two runs.
      logits(direct, Tiny.tokens(4, 9));
      logits(recorded, Tiny.tokens(4, 9));
      assertThat(graph.run(5).toFloats()).isEqualTo(logits(direct, 5));
      direct.truncate(3);
      recorded.truncate(3);
      assertThat(graph.run(6).toFloats()).isEqualTo(logits(direct, 6));
      assertThat(recorded.length()).isEqualTo(4);
    }
  }

  @Test
  void generationUsesItFromTheSecondTokenOn() throws InterruptedException {
    int[] prompt = Tiny.tokens(2, 7);
    int[] expected = new int[10];
    try (KvState kv = model.newState(40)) {
      int[] next = prompt;
      for (int i = 0; i < expected.length; i++) {
        expected[i] = argmax(logits(kv, next));
        next = new int[] {expected[i]};
      }
    }
    GenerateOptions options = GenerateOptions.greedy(10).stopAt(Set.of());
    try (Generator generator = new Generator(model)) {
      assertThat(generator.generate(prompt, options, t -> {}).tokens()).isEqualTo(expected);
      // The next turn, and the same text from another thread, which has a queue of its own.
      int[] turn = Arrays.copyOf(prompt, 12);
      System.arraycopy(expected, 0, turn, 7, 5);
      assertThat(generator.generate(turn, options, t -> {}).tokens())
          .startsWith(Arrays.copyOfRange(expected, 5, 10));
      int[][] other = new int[1][];
      Thread thread =
          Thread.ofPlatform()
              .start(() -> other[0] = generator.generate(prompt, options, t -> {}).tokens());
      thread.join();
      assertThat(other[0]).isEqualTo(expected);
    }
  }

  private static int argmax(float[] values) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      best = values[i] > values[best] ? i : best;
    }
    return best;
  }
}
