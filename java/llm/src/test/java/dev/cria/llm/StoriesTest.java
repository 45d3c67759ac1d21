package dev.cria.llm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.cria.Device;
import dev.cria.llm.eval.Perplexity;
import dev.cria.llm.generate.GenerateOptions;
import dev.cria.llm.generate.Generator;
import dev.cria.llm.llama2c.Llama2cCheckpoint;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.tokenizer.TokenizerLoader;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A real trained model of 260,032 weights: its published text and losses. */
class StoriesTest {
  private Llama load(Device device) throws IOException {
    try (Llama2cCheckpoint file =
        Llama2cCheckpoint.open(TestData.path("stories260k/stories260K.bin"))) {
      return Llama.from(file.config(), file, device, Weights.F32);
    }
  }

  private Tokenizer tokenizer() throws IOException {
    return TokenizerLoader.loadFile(TestData.path("stories260k/tok512.model"));
  }

  @Test
  void greedyTextFromBosIsThePublishedOne() throws IOException {
    String expected = Files.readString(TestData.path("stories260k/expected_greedy.txt"));
    Tokenizer tokenizer = tokenizer();
    try (Device device = Device.open("cpu");
        Llama model = load(device);
        Generator generator = new Generator(model)) {
      int[] tokens =
          generator.generate(new int[] {1}, GenerateOptions.greedy(200), t -> {}).tokens();
      assertThat(tokenizer.decode(tokens)).isEqualTo(expected);
    }
  }

  @Test
  void meanNllOfFiveStories() throws IOException {
    double[] expected = {1.315989, 1.238556, 0.952234, 1.493450, 1.187921};
    String[] stories =
        Files.readString(TestData.path("tinystories-sample/tinystories_v2_sample.txt"))
            .split("<\\|endoftext\\|>");
    Tokenizer tokenizer = tokenizer();
    try (Device device = Device.open("cpu");
        Llama model = load(device)) {
      Perplexity.Score all = new Perplexity.Score(0, 0, 0);
      int count = 0;
      for (String story : List.of(stories)) {
        if (!story.isBlank()) {
          Perplexity.Score score =
              Perplexity.text(model, tokenizer, story.strip(), model.inference());
          // The references are printed to six decimals; 1e-5 leaves room for float32 sums.
          assertThat(score.meanNll()).isCloseTo(expected[count++], within(1e-5));
          all = all.plus(score);
        }
      }
      assertThat(count).isEqualTo(5);
      assertThat(all.predicted()).isEqualTo(1804);
      assertThat(all.meanNll()).isCloseTo(1.266441, within(1e-5));
    }
  }
}
