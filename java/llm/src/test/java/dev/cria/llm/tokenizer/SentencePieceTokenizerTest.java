package dev.cria.llm.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** SentencePiece encoding against published ids, decoding of anything, and files that lie. */
class SentencePieceTokenizerTest {
  private static SentencePieceTokenizer load(String name) throws IOException {
    return new SentencePieceTokenizer(
        SentencePieceModel.read(TestData.path(name)), List.of(), true);
  }

  @Test
  void llamaModelGivesThePublishedIds() throws IOException {
    Tokenizer tokenizer = load("tokenizers-spm/llama.model");
    String inputs = Files.readString(TestData.path("tokenizers-spm/ggml-vocab-llama-spm.gguf.inp"));
    String outputs =
        Files.readString(TestData.path("tokenizers-spm/ggml-vocab-llama-spm.gguf.out"));
    List<String> expected = List.of(outputs.split("\n", -1));
    String[] texts = inputs.split("\n__ggml_vocab_test__\n", -1);
    int checked = 0;
    for (int i = 0; i < expected.size(); i++) {
      int[] ids =
          Arrays.stream(expected.get(i).trim().split(" "))
              .filter(s -> !s.isEmpty())
              .mapToInt(Integer::parseInt)
              .toArray();
      assertThat(tokenizer.encode(texts[i], false))
          .as("text %d: %s", i, texts[i])
          .containsExactly(ids);
      assertThat(tokenizer.decode(ids)).as("text %d", i).isEqualTo(texts[i]);
      checked++;
    }
    assertThat(checked).isEqualTo(47);
  }

  @Test
  void everyKindOfModelGivesTheIdsOfTheSentencePieceLibrary() throws IOException {
    JsonNode golden;
    try (var in = SentencePieceTokenizerTest.class.getResourceAsStream("spm-goldens.json")) {
      golden = JsonMapper.shared().readTree(in);
    }
    int checked = 0;
    for (var model : golden.get("ids").properties()) {
      Tokenizer tokenizer = load(model.getKey());
      for (int i = 0; i < golden.get("texts").size(); i++) {
        String text = golden.get("texts").get(i).stringValue();
        int[] expected =
            model.getValue().get(i).valueStream().mapToInt(JsonNode::intValue).toArray();
        assertThat(tokenizer.encode(text, false))
            .as("%s: %s", model.getKey(), text)
            .isEqualTo(expected);
        checked++;
      }
    }
    assertThat(checked).isEqualTo(6 * 14);
  }

  @Test
  void smallModelGivesTheIdsOfItsReadme() throws IOException {
    Tokenizer tokenizer = load("stories260k/tok512.model");
    assertThat(tokenizer.encode("Once upon a time, there was a little girl named Lily.", false))
        .containsExactly(403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395, 317, 426);
    assertThat(tokenizer.bosId()).hasValue(1);
    assertThat(tokenizer.eosId()).hasValue(2);
    assertThat(tokenizer.unkId()).hasValue(0);
    assertThat(tokenizer.padId()).isEmpty();
    assertThat(tokenizer.vocabSize()).isEqualTo(512);
  }

  @Test
  void controlTokensComeFromTextOnlyOnRequest() throws IOException {
    Tokenizer tokenizer = load("tokenizers-spm/llama.model");
    assertThat(tokenizer.encode("a</s>", false)).doesNotContain(2);
    assertThat(tokenizer.encode("a</s>b", true)).containsExactly(263, 2, 289);
    assertThat(tokenizer.decode(new int[] {263, 2, 289})).isEqualTo("ab");
    assertThat(tokenizer.decode(new int[] {1, 263, 2, 289}, false)).isEqualTo("<s>a</s>b");
  }

  @Test
  void decodeDropsExactlyOneLeadingSpace() throws IOException {
    Tokenizer tokenizer = load("tokenizers-spm/llama.model");
    for (String text : List.of("", " ", "  ", "   x", "x ", "\n x", " \t ")) {
      assertThat(tokenizer.decode(tokenizer.encode(text, false))).isEqualTo(text);
    }
  }

  @Test
  void anyUnicodeSurvivesAndStreamsWithoutSplitCharacters() throws IOException {
    Tokenizer tokenizer = load("tokenizers-spm/llama.model");
    Random random = new Random(7);
    for (int round = 0; round < 300; round++) {
      StringBuilder text = new StringBuilder();
      for (int i = random.nextInt(40); i >= 0; i--) {
        int limit = new int[] {0x80, 0x800, 0x10000, 0x110000}[random.nextInt(4)];
        int c = random.nextInt(limit);
        if (c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE) {
          text.appendCodePoint(c);
        }
      }
      int[] ids = tokenizer.encode(text.toString(), false);
      assertThat(tokenizer.decode(ids)).isEqualTo(text.toString());
      TokenDecoder decoder = tokenizer.decoder(true);
      StringBuilder streamed = new StringBuilder();
      for (int id : ids) {
        String part = decoder.accept(id);
        assertThat(part)
            .doesNotContain(text.indexOf("\uFFFD") < 0 ? "\uFFFD" : "\u0000\u0000\u0000");
        assertThat(part.isEmpty() || !Character.isHighSurrogate(part.charAt(part.length() - 1)))
            .isTrue();
        streamed.append(part);
      }
      assertThat(streamed.append(decoder.finish()).toString()).isEqualTo(text.toString());
    }
  }

  @Test
  void brokenByteSequencesBecomeReplacementCharacters() throws IOException {
    Tokenizer tokenizer = load("tokenizers-spm/llama.model");
    int[] bytes = {0x41, 0xF0, 0x9F, 0x42, 0xFF, 0xC3};
    int[] ids = Arrays.stream(bytes).map(b -> b + 3).toArray();
    String expected = "A\uFFFDB\uFFFD\uFFFD";
    assertThat(tokenizer.decode(ids)).isEqualTo(expected);
    TokenDecoder decoder = tokenizer.decoder(true);
    StringBuilder streamed = new StringBuilder();
    Arrays.stream(ids).forEach(id -> streamed.append(decoder.accept(id)));
    assertThat(streamed.append(decoder.finish()).toString()).isEqualTo(expected);
    assertThat(tokenizer.decode(tokenizer.encode("a\uD800b", false))).isEqualTo("a\uFFFDb");
  }

  @Test
  void textOfOneMillionCharactersIsCutInLittleTime() throws IOException {
    Tokenizer tokenizer = load("tokenizers-spm/llama.model");
    String text = "ab".repeat(500_000);
    assertThat(tokenizer.decode(tokenizer.encode(text, false))).isEqualTo(text);
  }

  @Test
  void writtenModelReadsBackTheSame() throws IOException {
    SentencePieceModel model = SentencePieceModel.read(TestData.path("tokenizers-spm/llama.model"));
    SentencePieceModel bare =
        new SentencePieceModel(
            model.pieces(), model.trainer(), model.normalizer(), java.util.Optional.empty());
    SentencePieceModel again = SentencePieceModel.parse(bare.toBytes(), "copy");
    assertThat(again.pieces()).isEqualTo(model.pieces());
    assertThat(again.trainer()).isEqualTo(model.trainer());
    assertThat(again.normalizer().addDummyPrefix()).isEqualTo(model.normalizer().addDummyPrefix());
    assertThat(model.toBytes())
        .isEqualTo(Files.readAllBytes(TestData.path("tokenizers-spm/llama.model")));
  }

  @Test
  void everyTruncationOfAModelIsRefusedOrRead() throws IOException {
    byte[] bytes = Files.readAllBytes(TestData.path("stories260k/tok512.model"));
    int refused = 0;
    for (int length = 0; length < bytes.length; length += 3) {
      try {
        SentencePieceModel.parse(Arrays.copyOf(bytes, length), "cut");
      } catch (InvalidInputException e) {
        assertThat(e).hasMessageContaining("cut: ");
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(bytes.length / 6);
  }

  @Test
  void randomChangesOfAModelNeverCrash() throws IOException {
    byte[] bytes = Files.readAllBytes(TestData.path("tokenizers-spm/test_sentencepiece_bpe.model"));
    Random random = new Random(11);
    for (int round = 0; round < 200; round++) {
      byte[] changed = bytes.clone();
      for (int i = 0; i < 20; i++) {
        // The character map stands at the end, so half of the changes go there.
        int at =
            i % 2 == 0
                ? random.nextInt(changed.length)
                : changed.length - 1 - random.nextInt(200_000);
        changed[at] = (byte) random.nextInt();
      }
      try {
        SentencePieceModel model = SentencePieceModel.parse(changed, "changed");
        new SentencePieceTokenizer(model, List.of(), true).encode("Ｈello ﬁne ½ Å the world", true);
      } catch (InvalidInputException e) {
        assertThat(e.getMessage()).isNotEmpty();
      }
    }
  }

  @Test
  void lengthPastTheEndIsRefused() {
    byte[] claimsTooMuch = {0x0A, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, 0x7F};
    assertThatThrownBy(() -> SentencePieceModel.parse(claimsTooMuch, "x.model"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("x.model")
        .hasMessageContaining("34359738367 bytes, 0 are left");
    assertThatThrownBy(() -> SentencePieceModel.parse(new byte[0], "x.model"))
        .hasMessageContaining("no pieces");
  }
}
