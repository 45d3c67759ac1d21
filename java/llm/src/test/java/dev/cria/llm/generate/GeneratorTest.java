package dev.cria.llm.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.Device;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Llama;
import dev.cria.llm.Tiny;
import dev.cria.llm.Weights;
import dev.cria.nn.Sampling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Generation against the full forward pass. */
class GeneratorTest {
  private Device device;
  private Llama model;

  @BeforeEach
  void open() {
    device = Tiny.cpu();
    model = Llama.init(Tiny.config(), device, Weights.F32, 21);
  }

  @AfterEach
  void close() {
    model.close();
    assertThat(device.liveBytes()).isZero();
    device.close();
  }

  private int[] generate(Generator generator, GenerateOptions options, int... prompt) {
    return generator.generate(prompt, options, t -> {}).tokens();
  }

  /** The likeliest token after each row, from the full pass over everything so far. */
  private int[] slowGreedy(int[] prompt, int count) {
    int[] ids = prompt;
    for (int n = 0; n < count; n++) {
      float[] logits = Tiny.logits(model, model.inference(), ids);
      int best = 0;
      int row = logits.length - 97;
      for (int i = 1; i < 97; i++) {
        best = logits[row + i] > logits[row + best] ? i : best;
      }
      ids = Arrays.copyOf(ids, ids.length + 1);
      ids[ids.length - 1] = best;
    }
    return Arrays.copyOfRange(ids, prompt.length, ids.length);
  }

  @Test
  void greedyTextIsWhatTheFullPassPrefers() {
    int[] prompt = Tiny.tokens(2, 7);
    List<Integer> streamed = new ArrayList<>();
    try (Generator generator = new Generator(model)) {
      Generator.Result result =
          generator.generate(prompt, GenerateOptions.greedy(20), streamed::add);
      assertThat(result.tokens()).isEqualTo(slowGreedy(prompt, 20));
      assertThat(result.stop()).isEqualTo(Generator.Stop.LENGTH);
      assertThat(streamed.stream().mapToInt(i -> i).toArray()).isEqualTo(result.tokens());
    }
  }

  @Test
  void theLengthOfPromptChunksDoesNotMatter() {
    int[] prompt = Tiny.tokens(2, 30);
    try (Generator generator = new Generator(model)) {
      int[] whole = generate(generator, GenerateOptions.greedy(8), prompt);
      generator.close();
      GenerateOptions chunked = new GenerateOptions(8, Sampling.greedy(), 0, Set.of(), 7);
      assertThat(generate(generator, chunked, prompt)).isEqualTo(whole);
    }
  }

  @Test
  void aLongerPromptGoesOnFromWhatIsKnown() {
    int[] prompt = Tiny.tokens(2, 6);
    try (Generator kept = new Generator(model)) {
      int[] first = generate(kept, GenerateOptions.greedy(5), prompt);
      int[] turn = Arrays.copyOf(prompt, 6 + 5 + 3);
      System.arraycopy(first, 0, turn, 6, 5);
      System.arraycopy(Tiny.tokens(9, 3), 0, turn, 11, 3);
      try (Generator fresh = new Generator(model)) {
        assertThat(generate(kept, GenerateOptions.greedy(9), turn))
            .isEqualTo(generate(fresh, GenerateOptions.greedy(9), turn));
      }
    }
  }

  @Test
  void stopTokensEndTheTextAndAreNotPartOfIt() {
    int[] prompt = Tiny.tokens(2, 7);
    int[] free = slowGreedy(prompt, 10);
    int stop = free[4];
    int before = 0;
    while (free[before] != stop) {
      before++;
    }
    try (Generator generator = new Generator(model)) {
      Generator.Result result =
          generator.generate(prompt, GenerateOptions.greedy(10).stopAt(Set.of(stop)), t -> {});
      assertThat(result.tokens()).isEqualTo(Arrays.copyOf(free, before));
      assertThat(result.stop()).isEqualTo(Generator.Stop.TOKEN);
    }
  }

  @Test
  void sampledTextDependsOnTheSeedOnly() {
    int[] prompt = Tiny.tokens(2, 7);
    Sampling warm = new Sampling(1.5f, 0, 1f);
    try (Generator generator = new Generator(model)) {
      int[] one = generate(generator, GenerateOptions.sampled(30, warm, 1), prompt);
      int[] two = generate(generator, GenerateOptions.sampled(30, warm, 2), prompt);
      assertThat(generate(generator, GenerateOptions.sampled(30, warm, 1), prompt)).isEqualTo(one);
      assertThat(two).isNotEqualTo(one);
    }
  }

  @Test
  void theContextIsFilledToItsLastPlaceAndNotBeyond() {
    try (Generator generator = new Generator(model)) {
      Generator.Result result =
          generator.generate(Tiny.tokens(2, 60), GenerateOptions.greedy(50), t -> {});
      // 64 places: 60 of the prompt, 4 of new tokens, and one more token predicted from the last.
      assertThat(result.tokens()).hasSize(5);
      assertThat(result.stop()).isEqualTo(Generator.Stop.CONTEXT);
    }
  }

  @Test
  void aPromptLongerThanTheContextIsRefused() {
    try (Generator generator = new Generator(model)) {
      assertThatThrownBy(
              () -> generator.generate(Tiny.tokens(2, 65), GenerateOptions.greedy(1), t -> {}))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("65 tokens")
          .hasMessageContaining("64");
      assertThatThrownBy(() -> generator.generate(new int[0], GenerateOptions.greedy(1), t -> {}))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("BOS");
    }
  }
}
