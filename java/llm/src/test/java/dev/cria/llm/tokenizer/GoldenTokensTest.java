package dev.cria.llm.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cria.llm.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Ids of the reference libraries for every kind of vocabulary, straight from the source and through
 * exported folders.
 */
class GoldenTokensTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {"llama", "storyllamas_4096", "tok512", "test_sentencepiece_bpe", "smollm2"})
  void idsAndTextsAreThoseOfTheReference(String name) throws IOException {
    JsonNode golden = golden(name);
    Tokenizer tokenizer = source(golden);
    assertThat(check(tokenizer, golden)).isGreaterThan(30);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"llama", "storyllamas_4096", "tok512", "test_sentencepiece_bpe", "smollm2"})
  void exportedFolderGivesTheSameIds(String name) throws IOException {
    JsonNode golden = golden(name);
    Tokenizer tokenizer = source(golden);
    TokenizerFiles.write(tokenizer, folder, Optional.of("{{ messages }}"), 512);
    Tokenizer again = TokenizerLoader.load(folder);
    assertThat(check(again, golden)).isGreaterThan(30);
    assertThat(again.bosId()).isEqualTo(tokenizer.bosId());
    assertThat(again.eosId()).isEqualTo(tokenizer.eosId());
    assertThat(again.padId()).isEqualTo(tokenizer.padId());
    assertThat(again.unkId()).isEqualTo(tokenizer.unkId());
    assertThat(again.addsBos()).isEqualTo(tokenizer.addsBos());
    assertThat(again.vocabSize()).isEqualTo(tokenizer.vocabSize());
    for (int id = 0; id < tokenizer.vocabSize(); id++) {
      assertThat(again.isSpecial(id)).isEqualTo(tokenizer.isSpecial(id));
      assertThat(again.piece(id)).isEqualTo(tokenizer.piece(id));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "storyllamas_4096", "tok512"})
  void tokenizerJsonOfASentencePieceModelGivesTheSameIds(String name) throws IOException {
    JsonNode golden = golden(name);
    TokenizerFiles.write(source(golden), folder, Optional.empty(), 512);
    Files.delete(folder.resolve("tokenizer.model"));
    assertThat(check(TokenizerLoader.load(folder), golden)).isGreaterThan(30);
  }

  @Test
  void vocabularyInsideGgufIsTheModelFile() throws IOException {
    Tokenizer gguf =
        TokenizerLoader.loadFile(TestData.path("tokenizers-spm/ggml-vocab-llama-spm.gguf"));
    assertThat(check(gguf, golden("llama"))).isGreaterThan(30);
    Tokenizer stories = TokenizerLoader.loadFile(TestData.path("stories260k/stories260K-f32.gguf"));
    // This file does not say that runs of spaces are to be squeezed, as its tokenizer.model does.
    assertThat(stories.encode("Once upon a time, there was a little girl named Lily.", false))
        .isEqualTo(
            TokenizerLoader.loadFile(TestData.path("stories260k/tok512.model"))
                .encode("Once upon a time, there was a little girl named Lily.", false));
    assertThat(stories.bosId()).hasValue(1);
    assertThat(stories.addsBos()).isTrue();
    // Written as tokenizer.model and read back.
    TokenizerFiles.write(gguf, folder, Optional.empty(), 512);
    assertThat(check(TokenizerLoader.load(folder), golden("llama"))).isGreaterThan(30);
  }

  @Test
  void specialTokensOfSmolLm2() throws IOException {
    Tokenizer tokenizer =
        TokenizerLoader.loadFile(TestData.path("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"));
    assertThat(tokenizer.vocabSize()).isEqualTo(49_152);
    assertThat(tokenizer.bosId()).hasValue(1);
    assertThat(tokenizer.eosId()).hasValue(2);
    assertThat(tokenizer.addsBos()).isFalse();
    assertThat(
            tokenizer.encode("<|im_start|>user\nWhat is the capital of France?<|im_end|>\n", true))
        .containsExactly(1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198);
    assertThat(tokenizer.encode("<|im_end|>", false)).doesNotContain(2).hasSizeGreaterThan(3);
    int[] answer = {504, 3575, 282, 4649, 314, 7042, 30, 2};
    assertThat(tokenizer.decode(answer)).isEqualTo("The capital of France is Paris.");
    assertThat(tokenizer.decode(answer, false))
        .isEqualTo("The capital of France is Paris.<|im_end|>");
    int[] all = IntStream.range(0, tokenizer.vocabSize()).toArray();
    assertThat(tokenizer.decode(all)).isNotEmpty();
  }

  /** Counts of the models' own descriptions; the small model's include BOS. */
  @ParameterizedTest
  @CsvSource({
    "stories260k/tok512.model, 374 330 223 425 457",
    "stories260k/stories260K-f32.gguf, 374 330 223 425 457",
    "smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf, 171 179 126 191 227"
  })
  void storiesHaveTheirPublishedNumberOfTokens(String file, String counts) throws IOException {
    Tokenizer tokenizer = TokenizerLoader.loadFile(TestData.path(file));
    String text = Files.readString(TestData.path("tinystories-sample/tinystories_v2_sample.txt"));
    String found =
        Arrays.stream(text.split("<\\|endoftext\\|>"))
            .map(String::strip)
            .filter(story -> !story.isEmpty())
            .map(story -> tokenizer.encode(story, false).length + (tokenizer.addsBos() ? 1 : 0))
            .map(String::valueOf)
            .collect(Collectors.joining(" "));
    assertThat(found).isEqualTo(counts);
  }

  private static JsonNode golden(String name) throws IOException {
    return JsonMapper.shared()
        .readTree(
            Files.readAllBytes(
                TestData.repository("tests/parity/golden/tokenizers/" + name + ".json")));
  }

  private static Tokenizer source(JsonNode golden) throws IOException {
    return TokenizerLoader.loadFile(TestData.path(golden.get("model").stringValue()));
  }

  private static int check(Tokenizer tokenizer, JsonNode golden) {
    boolean special = golden.get("model").stringValue().endsWith(".gguf");
    int checked = 0;
    for (JsonNode node : golden.get("cases")) {
      String text = node.get("text").stringValue();
      int[] ids = node.get("ids").valueStream().mapToInt(JsonNode::intValue).toArray();
      assertThat(tokenizer.encode(text, special)).as("ids of %s", node.get("text")).isEqualTo(ids);
      assertThat(tokenizer.decode(ids, !special))
          .as("text of %s", Arrays.toString(ids))
          .isEqualTo(node.get("decoded").stringValue());
      checked++;
    }
    return checked;
  }
}
