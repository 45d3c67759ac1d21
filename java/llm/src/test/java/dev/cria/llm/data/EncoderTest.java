package dev.cria.llm.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.cria.llm.TestData;
import dev.cria.llm.chat.ChatTemplate;
import dev.cria.llm.chat.Message;
import dev.cria.llm.gguf.GgufFile;
import dev.cria.llm.tokenizer.GgufTokenizer;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.tokenizer.TokenizerLoader;
import dev.cria.llm.train.PairItem;
import dev.cria.llm.train.TextItem;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What is learned of a record, how it ends, and what happens to long ones. */
class EncoderTest {
  private static final EncodeOptions WIDE = new EncodeOptions(4096, false, true);

  private record Model(Tokenizer tokenizer, ChatTemplate template) {}

  private static Model smol() throws IOException {
    try (GgufFile gguf =
        GgufFile.open(TestData.path("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"))) {
      Tokenizer tokenizer = GgufTokenizer.load(gguf);
      return new Model(
          tokenizer,
          ChatTemplate.of(
              "smollm2", gguf.string("tokenizer.chat_template").orElseThrow(), tokenizer));
    }
  }

  private static Tokenizer llama() throws IOException {
    return TokenizerLoader.loadFile(TestData.path("tokenizers-spm/llama.model"));
  }

  /** Text of the tokens that are learned. */
  private static String learned(Tokenizer tokenizer, TextItem item) {
    int[] ids =
        IntStream.range(0, item.ids().length)
            .filter(i -> item.weights()[i] > 0)
            .map(i -> item.ids()[i])
            .toArray();
    return tokenizer.decode(ids, false);
  }

  private static TextItem only(List<TextItem> items) {
    assertThat(items).hasSize(1);
    return items.getFirst();
  }

  @Test
  void ofADialogueTheAnswersAndTheirEndMarksAreLearned() throws IOException {
    Model model = smol();
    List<Message> talk =
        List.of(
            Message.user("Hi"),
            Message.assistant("Hello."),
            Message.user("2+3?"),
            Message.assistant("5"));
    Encoder encoder = new Encoder(model.tokenizer(), Optional.of(model.template()), WIDE);
    TextItem item = only(encoder.text(Example.ChatExample.of("x", talk)));
    assertThat(learned(model.tokenizer(), item)).isEqualTo("Hello.<|im_end|>5<|im_end|>");
    // The same tokens as the whole text at once, without the newline after the last mark.
    int[] whole = model.tokenizer().encode(model.template().render(talk, false), true);
    assertThat(item.ids()).isEqualTo(java.util.Arrays.copyOf(whole, whole.length - 1));
    TextItem second =
        only(encoder.text(new Example.ChatExample("x", talk, List.of(0f, 0f, 0f, 0.5f))));
    assertThat(learned(model.tokenizer(), second)).isEqualTo("5<|im_end|>");
    assertThat(second.weight()).isEqualTo(1.0);
    assertThatThrownBy(
            () -> encoder.text(new Example.ChatExample("x:3", talk, List.of(1f, 1f, 1f, 1f))))
        .hasMessageContaining("x:3")
        .hasMessageContaining("role user");
  }

  @Test
  void answersOfSentencePieceModelsContinueTheirPrompt() throws IOException {
    Tokenizer tokenizer = llama();
    for (String name : List.of("vicuna", "llama-2", "alpaca")) {
      ChatTemplate template = ChatTemplate.named(name, tokenizer);
      Encoder encoder = new Encoder(tokenizer, Optional.of(template), WIDE);
      List<Message> talk = List.of(Message.user("Hi there"), Message.assistant("Hello friend."));
      TextItem item = only(encoder.text(Example.ChatExample.of("x", talk)));
      int[] prompt = tokenizer.encode(template.render(talk.subList(0, 1), true), true);
      assertThat(item.ids()).startsWith(prompt);
      assertThat(item.ids()[0]).isEqualTo(1);
      assertThat(item.ids()[item.ids().length - 1]).isEqualTo(2);
      assertThat(tokenizer.decode(item.ids(), false).replace("  ", " "))
          .isEqualTo(template.render(talk, false).replace("  ", " "));
      assertThat(IntStream.range(0, prompt.length).allMatch(i -> item.weights()[i] == 0)).isTrue();
    }
  }

  @Test
  void templateWithoutEndMarkGetsEosUnlessToldNot() throws IOException {
    Tokenizer tokenizer = llama();
    ChatTemplate bare =
        ChatTemplate.of(
            "bare",
            "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}",
            tokenizer);
    List<Message> talk = List.of(Message.user("a"), Message.assistant("b"));
    TextItem with =
        only(
            new Encoder(tokenizer, Optional.of(bare), WIDE)
                .text(Example.ChatExample.of("x", talk)));
    assertThat(learned(tokenizer, with)).isEqualTo("b</s>");
    EncodeOptions noEos = new EncodeOptions(100, false, false);
    TextItem without =
        only(
            new Encoder(tokenizer, Optional.of(bare), noEos)
                .text(Example.ChatExample.of("x", talk)));
    assertThat(learned(tokenizer, without)).isEqualTo("b");
  }

  @Test
  void instructionsAndCompletionsMaskTheirPrompt() throws IOException {
    Tokenizer tokenizer = llama();
    Encoder encoder =
        new Encoder(tokenizer, Optional.of(ChatTemplate.named("alpaca", tokenizer)), WIDE);
    TextItem item =
        only(encoder.text(new Example.InstructionExample("x", "Add.", "2 3", "5 it is")));
    assertThat(tokenizer.decode(item.ids()))
        .contains("paired with an input")
        .endsWith("### Instruction:\nAdd.\n\n### Input:\n2 3\n\n### Response:\n5 it is");
    assertThat(learned(tokenizer, item)).isEqualTo("5 it is</s>");
    TextItem plain = only(encoder.text(new Example.PromptCompletion("x", "Once upon", " a time")));
    assertThat(plain.ids()).containsExactly(1, 9038, 2501, 263, 931, 2);
    assertThat(plain.weights()).containsExactly(0, 0, 0, 1, 1, 1);
  }

  @Test
  void plainTextGoesInWindowsThatLearnEachTokenOnce() throws IOException {
    Tokenizer tokenizer = llama();
    String text = "The quick brown fox jumps over the lazy dog again and again.";
    int[] all =
        only(new Encoder(tokenizer, Optional.empty(), WIDE)
                .text(new Example.TextExample("x", text)))
            .ids();
    EncodeOptions small = new EncodeOptions(5, false, true);
    List<TextItem> windows =
        new Encoder(tokenizer, Optional.empty(), small).text(new Example.TextExample("x", text));
    int[] joined =
        IntStream.concat(
                IntStream.of(all[0]),
                windows.stream().flatMapToInt(w -> IntStream.of(w.ids()).skip(1)))
            .toArray();
    assertThat(joined).isEqualTo(all);
    assertThat(windows).allSatisfy(w -> assertThat(w.ids().length).isBetween(2, 5));
    EncodeOptions cut = new EncodeOptions(5, true, true);
    assertThat(
            new Encoder(tokenizer, Optional.empty(), cut).text(new Example.TextExample("x", text)))
        .hasSize(1);
    assertThat(
            new Encoder(tokenizer, Optional.empty(), new EncodeOptions(5, false, false))
                .text(new Example.TextExample("x", "")))
        .isEmpty();
  }

  @Test
  void longRecordsAreRefusedByNameOrCut() throws IOException {
    Model model = smol();
    Example.InstructionExample e =
        new Example.InstructionExample("data.json:7", "Say a lot.", "", "word ".repeat(50));
    Encoder strict =
        new Encoder(
            model.tokenizer(), Optional.of(model.template()), new EncodeOptions(64, false, true));
    assertThatThrownBy(() -> strict.text(e))
        .hasMessageContaining("data.json:7")
        .hasMessageContaining("64 allowed");
    Encoder cutting =
        new Encoder(
            model.tokenizer(), Optional.of(model.template()), new EncodeOptions(64, true, true));
    assertThat(only(cutting.text(e)).ids()).hasSize(64);
    Encoder hopeless =
        new Encoder(
            model.tokenizer(), Optional.of(model.template()), new EncodeOptions(8, true, true));
    assertThat(hopeless.text(e)).isEmpty();
    Example.PairExample pair =
        new Example.PairExample(
            "p:1", List.of(Message.user("a ".repeat(80))), "yes", "no ".repeat(20), false);
    assertThatThrownBy(() -> strict.pair(pair)).hasMessageContaining("p:1");
    PairItem cut = cutting.pair(pair);
    assertThat(cut.prompt().length + Math.max(cut.chosen().length, cut.rejected().length))
        .isEqualTo(64);
    assertThat(model.tokenizer().decode(cut.chosen(), false)).isEqualTo("yes<|im_end|>");
  }

  @Test
  void whatIsMissingOrOfTheWrongKindIsSaid() throws IOException {
    Tokenizer tokenizer = llama();
    Encoder bare = new Encoder(tokenizer, Optional.empty(), WIDE);
    assertThatThrownBy(() -> bare.text(new Example.InstructionExample("d:1", "a", "", "b")))
        .hasMessageContaining("d:1")
        .hasMessageContaining("--template");
    Example.ChoiceExample choice = new Example.ChoiceExample("d:2", "c", List.of("a", "b"), 0);
    assertThatThrownBy(() -> bare.text(choice))
        .hasMessageContaining("d:2: a multiple-choice question");
    DataSet texts = new DataSet(List.of(new Example.TextExample("d:3", "t")), java.util.Map.of());
    assertThatThrownBy(() -> bare.pairs(texts)).hasMessageContaining("d:3: a pair");
    Example.PairExample plain =
        new Example.PairExample("d:4", List.of(Message.user("2+3=")), "5", "6", true);
    PairItem item = bare.pair(plain);
    assertThat(item.prompt()[0]).isEqualTo(1);
    assertThat(tokenizer.decode(item.chosen(), false)).isEqualTo("5</s>");
  }

  @Test
  void pairsOfTheHarmlessSetAreThoseOfThePeer() throws IOException {
    Model model = smol();
    Encoder encoder = new Encoder(model.tokenizer(), Optional.of(model.template()), WIDE);
    DataSet data = DataSet.load(TestData.path("hh-rlhf-harmless-test/harmless-base-test.jsonl.gz"));
    List<PairItem> pairs = encoder.pairs(data).items();
    PairItem first = pairs.getFirst();
    Example.PairExample example = (Example.PairExample) data.examples().getFirst();
    assertThat(first.chosen())
        .isEqualTo(model.tokenizer().encode(example.chosen() + "<|im_end|>", true));
    assertThat(first.prompt())
        .isEqualTo(model.tokenizer().encode(model.template().render(example.prompt(), true), true));
    int usable = 0;
    double shorter = 0;
    for (PairItem p : pairs) {
      if (p.prompt().length + Math.max(p.chosen().length, p.rejected().length) <= 256) {
        usable++;
        shorter +=
            p.chosen().length < p.rejected().length
                ? 1
                : p.chosen().length == p.rejected().length ? 0.5 : 0;
      }
    }
    // 1,655 pairs of at most 256 tokens, of which preferring the shorter answer gets 0.55 right.
    assertThat(usable).isEqualTo(1655);
    assertThat(shorter / usable).isEqualTo(0.55, within(0.005));
  }
}
