package dev.cria.llm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.llm.eval.Perplexity;
import dev.cria.llm.generate.GenerateOptions;
import dev.cria.llm.generate.Generator;
import dev.cria.llm.gguf.GgufCheckpoint;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.tokenizer.TokenizerLoader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A real instruction-tuned model of 134,515,008 weights: the reference values in its README. */
class SmolTest {
  private static final int[] CHAT = {
    1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407,
    19712, 8182, 2, 198, 1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531,
    198
  };

  @Test
  void logitsAnswerAndLossesOfTheImportedModel() throws IOException {
    Path file = TestData.path("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
    Path stories = TestData.path("tinystories-sample/tinystories_v2_sample.txt");
    Tokenizer tokenizer = TokenizerLoader.loadFile(file);
    try (Device device = Device.open("cpu");
        GgufCheckpoint gguf = GgufCheckpoint.open(file);
        Llama model = Llama.from(gguf.config(), gguf, device, Weights.F32)) {
      assertThat(model.config().parameters()).isEqualTo(134_515_008);
      try (Scope scope = Scope.open()) {
        float[] logits =
            model
                .logits(model.hidden(TokenBatch.of(CHAT), model.inference()).rows(36, 1))
                .toFloats();
        int[] ids = {504, 60, 15319, 2219, 7026};
        double[] expected = {25.3254, 25.2433, 24.9424, 24.4017, 24.3146};
        for (int i = 0; i < ids.length; i++) {
          assertThat((double) logits[ids[i]]).isCloseTo(expected[i], within(1e-3));
        }
      }
      try (Generator generator = new Generator(model)) {
        GenerateOptions options = GenerateOptions.greedy(30).stopAt(Set.of(2));
        assertThat(tokenizer.decode(generator.generate(CHAT, options, t -> {}).tokens()))
            .isEqualTo("The capital of France is Paris.");
      }
      Perplexity.Score all = new Perplexity.Score(0, 0, 0);
      for (String story : Files.readString(stories).split("<\\|endoftext\\|>", -1)) {
        if (!story.isBlank()) {
          all = all.plus(Perplexity.text(model, tokenizer, story.strip(), model.inference()));
        }
      }
      assertThat(all.predicted()).isEqualTo(889);
      assertThat(all.meanNll()).isCloseTo(2.286795, within(1e-4));
      assertThat(all.bitsPerByte()).isCloseTo(0.789062, within(1e-4));
    }
  }
}
