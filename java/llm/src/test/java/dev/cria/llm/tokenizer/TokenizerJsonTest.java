package dev.cria.llm.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.llm.InvalidInputException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Pre-tokenisers against the tokenizers library, small vocabularies worked out by hand, and files
 * that are wrong.
 */
class TokenizerJsonTest {
  @TempDir Path folder;

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = TokenizerJsonTest.class.getResourceAsStream(name)) {
      return Objects.requireNonNull(in).readAllBytes();
    }
  }

  private static Tokenizer parse(String json) {
    return TokenizerJson.parse(
        json.getBytes(StandardCharsets.UTF_8), TokenizerConfig.NONE, "t.json");
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt-2", "smollm", "llama-bpe", "qwen2"})
  void idsAreThoseOfTheTokenizersLibrary(String name) throws IOException {
    JsonNode golden = JsonMapper.shared().readTree(resource("pretokenizer-goldens.json"));
    Tokenizer tokenizer =
        TokenizerJson.parse(
            resource("bpe-" + name + "/tokenizer.json"), TokenizerConfig.NONE, name);
    JsonNode texts = golden.get("texts");
    for (int i = 0; i < texts.size(); i++) {
      String text = texts.get(i).stringValue();
      int[] expected =
          golden.get("ids").get(name).get(i).valueStream().mapToInt(JsonNode::intValue).toArray();
      assertThat(tokenizer.encode(text, true)).as("%s: %s", name, texts.get(i)).isEqualTo(expected);
      if (!name.equals("qwen2")) { // which changes text to its normal form
        assertThat(tokenizer.decode(expected)).isEqualTo(text);
      }
    }
    assertThat(texts.size()).isEqualTo(13);
    assertThat(tokenizer.encode("a<|end|>b", true)).contains(0);
    assertThat(tokenizer.encode("a<|end|>b", false)).doesNotContain(0);
  }

  private static final String BYTES =
      "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": true}";

  @Test
  void lowestRankIsMergedFirstAndTheLeftmostAmongEquals() {
    // aaa: both places have rank 0, the left one wins; then "aa"+"a" has no rule.
    Tokenizer tokenizer =
        parse(
            "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"aa\": 2, \"ab\": 3}, \"merges\": [\"a a\", [\"a\", \"b\"]]}, "
                + BYTES
                + "}");
    assertThat(tokenizer.encode("aaa", false)).containsExactly(2, 0);
    assertThat(tokenizer.encode("aab", false)).containsExactly(2, 1);
    assertThat(tokenizer.encode("abab", false)).containsExactly(3, 3);
    // A byte that the vocabulary lacks is left out, as no token stands for the unknown.
    assertThat(tokenizer.encode("axb", false)).containsExactly(3);
  }

  @Test
  void specialTokensMaySwallowSpaceAndNeedNotBeSpecial() {
    String vocab = "\"vocab\": {\"a\": 0, \"b\": 1, \"Ġ\": 2}, \"merges\": []";
    Tokenizer tokenizer =
        parse(
            "{\"added_tokens\": [{\"id\": 3, \"content\": \"<m>\", \"lstrip\": true, \"rstrip\": true, \"special\": true},"
                + "{\"id\": 4, \"content\": \"<m>x\", \"special\": false}], \"model\": {\"type\": \"BPE\", "
                + vocab
                + "}, "
                + BYTES
                + "}");
    assertThat(tokenizer.encode("a  <m>  b", true)).containsExactly(0, 3, 1);
    assertThat(tokenizer.encode("a<m>xb", true)).containsExactly(0, 4, 1);
    assertThat(tokenizer.encode("a<m>xb", false)).containsExactly(0, 4, 1);
    assertThat(tokenizer.decode(new int[] {0, 3, 4})).isEqualTo("a<m>x");
    assertThat(tokenizer.vocabSize()).isEqualTo(5);
    assertThatThrownBy(() -> tokenizer.decode(new int[] {5}))
        .hasMessageContaining("outside the vocabulary of 5");
  }

  @Test
  void bosComesFromTheTemplateOrTheConfiguration() throws IOException {
    String json =
        "{\"added_tokens\": [{\"id\": 1, \"content\": \"<s>\", \"special\": true}], \"post_processor\": {\"type\": \"TemplateProcessing\","
            + "\"single\": [{\"SpecialToken\": {\"id\": \"<s>\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\"}}]},"
            + "\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}, "
            + BYTES
            + "}";
    assertThat(parse(json).addsBos()).isTrue();
    assertThat(parse(json).bosId()).hasValue(1);
    Files.writeString(folder.resolve("tokenizer.json"), json);
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"add_bos_token\": false, \"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"a\"}");
    Tokenizer tokenizer = TokenizerLoader.load(folder);
    assertThat(tokenizer.addsBos()).isFalse();
    assertThat(tokenizer.bosId()).hasValue(1);
    assertThat(tokenizer.eosId()).hasValue(0);
  }

  @Test
  void metaspacePrefixesAsItsSchemeSays() {
    String model =
        "\"model\": {\"type\": \"BPE\", \"unk_token\": \"<unk>\", \"vocab\": {\"<unk>\": 0, \"▁\": 1, \"a\": 2}, \"merges\": []},"
            + "\"added_tokens\": [{\"id\": 3, \"content\": \"<s>\", \"special\": true}]";
    String pre =
        ", \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"▁\", \"split\": false, \"prepend_scheme\": \"%s\"}}";
    assertThat(parse("{" + model + pre.formatted("always")).encode("a<s>a a", true))
        .containsExactly(1, 2, 3, 1, 2, 1, 2);
    assertThat(parse("{" + model + pre.formatted("first")).encode("a<s>a a", true))
        .containsExactly(1, 2, 3, 2, 1, 2);
    assertThat(parse("{" + model + pre.formatted("first")).encode(" a", true))
        .containsExactly(1, 2);
    assertThat(parse("{" + model + pre.formatted("never")).encode("a<s>a", true))
        .containsExactly(2, 3, 2);
    assertThat(parse("{" + model + pre.formatted("never")).encode("axxa", true))
        .containsExactly(2, 0, 2);
  }

  private static void refused(String json, String message) {
    assertThatThrownBy(() -> parse(json))
        .as(json)
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("t.json")
        .hasMessageContaining(message);
  }

  @Test
  void whatIsWrongOrUnknownIsNamed() {
    refused("{", "not valid JSON");
    refused("[]", "model type \"\"");
    refused("{\"model\": {\"type\": \"WordPiece\"}}", "model type \"WordPiece\" is not supported");
    refused("{\"model\": {\"type\": \"BPE\"}}", "vocabulary is missing");
    refused("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 5}}}", "id 5, 0 to 0 expected");
    refused("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}}}", "id -1");
    refused(
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 0}}, " + BYTES + "}",
        "stands for both");
    refused("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 1, \"b\": 1}}}", "stands for both");
    String vocab = "\"vocab\": {\"a\": 0, \"b\": 1}";
    refused(
        "{\"model\": {\"type\": \"BPE\", " + vocab + ", \"merges\": [\"a b\"]}, " + BYTES + "}",
        "merge 0 names \"ab\"");
    refused(
        "{\"model\": {\"type\": \"BPE\", " + vocab + ", \"merges\": [\"ab\"]}, " + BYTES + "}",
        "two tokens expected");
    refused(
        "{\"model\": {\"type\": \"BPE\", " + vocab + ", \"dropout\": 0.1}, " + BYTES + "}",
        "dropout");
    refused("{\"model\": {\"type\": \"BPE\", " + vocab + "}}", "neither a ByteLevel");
    String split = "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"%s\"}, \"behavior\": \"%s\"}";
    for (List<String> bad :
        List.of(
            List.of("(", "Isolated", "pattern ("),
            List.of("[[:alpha:]]", "Isolated", "not supported"),
            List.of("a", "Contiguous", "Contiguous"))) {
      String pre =
          "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": ["
              + split.formatted(bad.get(0), bad.get(1))
              + ", {\"type\": \"ByteLevel\"}]}";
      refused("{\"model\": {\"type\": \"BPE\", " + vocab + "}, " + pre + "}", bad.get(2));
    }
    refused(
        "{\"normalizer\": {\"type\": \"Lowercase\"}, \"model\": {\"type\": \"BPE\", "
            + vocab
            + "}, "
            + BYTES
            + "}",
        "Lowercase");
  }

  @Test
  void folderWithoutTokenizerIsRefused() {
    assertThatThrownBy(() -> TokenizerLoader.load(folder))
        .hasMessageContaining("neither tokenizer.model nor tokenizer.json");
    assertThatThrownBy(() -> TokenizerLoader.loadFile(folder.resolve("x")))
        .hasMessageContaining("no such file");
  }

  @Test
  void unchangedJsonIsCopiedByteForByte() throws IOException {
    byte[] bytes = resource("bpe-llama-bpe/tokenizer.json");
    Tokenizer tokenizer = TokenizerJson.parse(bytes, TokenizerConfig.NONE, "x");
    TokenizerFiles.write(tokenizer, folder, Optional.of("{{ 1 }}"), 99);
    assertThat(Files.readAllBytes(folder.resolve("tokenizer.json"))).isEqualTo(bytes);
    assertThat(Files.exists(folder.resolve("tokenizer.model"))).isFalse();
    JsonNode config =
        JsonMapper.shared().readTree(Files.readAllBytes(folder.resolve("tokenizer_config.json")));
    assertThat(config.get("model_max_length").intValue()).isEqualTo(99);
    assertThat(config.get("chat_template").stringValue()).isEqualTo("{{ 1 }}");
    assertThat(config.get("added_tokens_decoder").get("0").get("content").stringValue())
        .isEqualTo("<|end|>");
  }
}
