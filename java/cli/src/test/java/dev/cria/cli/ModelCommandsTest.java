package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** The commands that make, convert, show and use models. */
class ModelCommandsTest {
  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "import",
        "init",
        "info",
        "generate",
        "chat",
        "eval",
        "sft",
        "dpo",
        "merge",
        "device-check"
      })
  void helpDescribesTheCommandWithAnExample(String command) {
    Cli help = Cli.ok(command, "--help");
    assertThat(help.out())
        .startsWith("Usage: cria " + command)
        .contains("Example")
        .contains("--json");
  }

  @Test
  void withoutACommandTheHelpListsAll() {
    assertThat(Cli.ok().out()).contains("import", "init", "sft", "dpo", "merge", "Exit codes");
  }

  @Test
  void infoShowsTheShapeThatInitWasGiven() {
    JsonNode info = Cli.json("info", TinyModel.make(folder));
    assertThat(info.path("layers").asInt()).isEqualTo(2);
    assertThat(info.path("kv_heads").asInt()).isEqualTo(2);
    assertThat(info.path("tensors").path("F32").asInt()).isEqualTo(20);
    assertThat(info.path("tokenizer").asBoolean()).isTrue();
    // 264 embeddings of 32; per block q and o 32 x 32, k and v 16 x 32, three of 48 x 32, two
    // gains.
    long block = 2 * 32 * 32 + 2 * 16 * 32 + 3 * 48 * 32 + 2 * 32;
    assertThat(info.path("parameters").asLong()).isEqualTo(264 * 32 + 2 * block + 32);
  }

  @Test
  void initGivesTheSameWeightsForTheSameSeedOnly() throws IOException {
    byte[] first = weights(TinyModel.make(folder, "--seed", 7));
    assertThat(weights(TinyModel.make(folder, "--seed", 7))).isEqualTo(first);
    assertThat(weights(TinyModel.make(folder, "--seed", 8))).isNotEqualTo(first);
  }

  private static byte[] weights(Path model) throws IOException {
    return Files.readAllBytes(model.resolve("model.safetensors"));
  }

  @Test
  void importKeepsAFolderAsItIsStored() throws IOException {
    Path model = TinyModel.make(folder, "--dtype", "bf16");
    Path copy = folder.resolve("copy");
    Cli.ok("import", model, copy);
    assertThat(weights(copy)).isEqualTo(weights(model));
    assertThat(copy.resolve("tokenizer.json"))
        .hasSameBinaryContentAs(model.resolve("tokenizer.json"));
  }

  @Test
  void importQuantises() {
    Path target = folder.resolve("nf4");
    Cli.ok("import", TinyModel.make(folder), target, "--quantize", "nf4");
    JsonNode info = Cli.json("info", target);
    assertThat(info.path("nf4").asBoolean()).isTrue();
    assertThat(Cli.json("generate", "--model", target, "--greedy", "--max-tokens", 3).path("ids"))
        .hasSize(3);
  }

  @Test
  void generateWithoutAPromptBeginsWithBos() {
    JsonNode made =
        Cli.json("generate", "--model", TinyModel.make(folder), "--greedy", "--max-tokens", 5);
    assertThat(ids(made.path("prompt_ids"))).containsExactly(256);
    assertThat(made.path("phases").get(0).path("phase").asString()).isEqualTo("load");
  }

  @Test
  void theSameSeedGivesTheSameTextForAnyNumberOfThreads() {
    Path model = TinyModel.make(folder);
    Object[] args = {
      "generate",
      "--model",
      model,
      "--prompt",
      "ab",
      "--max-tokens",
      40,
      "--seed",
      5,
      "--threads",
      1
    };
    String one = Cli.ok(args).out();
    args[args.length - 1] = 2;
    assertThat(Cli.ok(args).out()).isEqualTo(one).startsWith("ab");
    args[args.length - 3] = 6;
    assertThat(Cli.ok(args).out()).isNotEqualTo(one);
  }

  private static List<Integer> ids(JsonNode list) {
    List<Integer> ids = new ArrayList<>();
    list.forEach(n -> ids.add(n.asInt()));
    return ids;
  }

  @Test
  void evalSumsPiecesAndCountsEachTokenButTheFirstOnce() {
    Path model = TinyModel.make(folder);
    // 300 bytes and BOS: longer than the context of 128.
    Path text = TinyModel.text(folder.resolve("text.txt"), "x".repeat(300) + " ## \n short ## ");
    JsonNode all = Cli.json("eval", "--model", model, "--text", text, "--separator", "##");
    assertThat(all.path("pieces")).hasSize(2);
    JsonNode first = all.path("pieces").get(0);
    JsonNode second = all.path("pieces").get(1);
    assertThat(first.path("predicted_tokens").asInt()).isEqualTo(300);
    assertThat(second.path("predicted_tokens").asInt()).isEqualTo(5);
    double sum = 300 * first.path("nll").asDouble() + 5 * second.path("nll").asDouble();
    assertThat(all.path("nll").asDouble()).isCloseTo(sum / 305, offset(1e-12));
    // One token is one byte here: bits per byte = nats per token / ln 2.
    assertThat(all.path("bits_per_byte").asDouble())
        .isCloseTo(sum / 305 / Math.log(2), offset(1e-12));
    JsonNode limited =
        Cli.json("eval", "--model", model, "--text", text, "--separator", "##", "--limit", 1);
    assertThat(limited.path("nll").asDouble()).isEqualTo(first.path("nll").asDouble());
  }

  @Test
  void evalAnswersMultipleChoice() {
    Path questions =
        TinyModel.text(
            folder.resolve("q.jsonl"),
            """
            {"ctx": "one", "endings": ["a", "bb bb bb bb bb bb bb bb"], "label": 0}
            {"ctx": "two", "endings": ["a", "bb bb bb bb bb bb bb bb"], "label": "1"}
            """);
    JsonNode answer = Cli.json("eval", "--model", TinyModel.make(folder), "--choices", questions);
    assertThat(answer.path("questions").asInt()).isEqualTo(2);
    // By sum a random model takes the far shorter ending in both.
    assertThat(answer.path("accuracy").path("mean").asDouble()).isEqualTo(0.5);
  }

  @Test
  void chatAnswersEachLineAndKeepsTheDialogue() {
    Path model = TinyModel.make(folder);
    Cli chat =
        Cli.typing(
            "hi\n\nyou\n",
            "chat",
            "--model",
            model,
            "--template",
            "chatml",
            "--greedy",
            "--max-tokens",
            4,
            "--json");
    assertThat(chat.code()).isZero();
    String[] lines = chat.out().strip().split("\n");
    assertThat(lines).hasSize(2);
    JsonNode first = CriaCommand.LINE.readTree(lines[0]);
    JsonNode second = CriaCommand.LINE.readTree(lines[1]);
    List<Integer> before = ids(first.path("prompt_ids"));
    assertThat(ids(second.path("prompt_ids"))).startsWith(before.toArray(new Integer[0]));
    // BOS once, then the mark of the first turn.
    assertThat(before).startsWith(256, 257).filteredOn(id -> id == 256).hasSize(1);
  }

  @Test
  void chatWithoutATemplateSaysWhatToDo() {
    Cli chat = Cli.typing("hi\n", "chat", "--model", TinyModel.make(folder));
    assertThat(chat.code()).isEqualTo(1);
    assertThat(chat.err()).contains("has no chat template; use --template");
  }
}
