package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Data, prompts and outputs that cannot be used. */
class BadInputTest extends Refusals {
  @Test
  void badLineOfTheDataIsNamed() throws IOException {
    Files.writeString(data, Files.readString(data) + "{\"prompt\": \"a\",\n");
    refused(1, "instructions.jsonl:21: not valid JSON", sft());
  }

  @Test
  void dataWithoutRecords() {
    TinyModel.text(data, "");
    refused(1, "no records", sft());
    refused(1, "no such data file", sft("--data", folder.resolve("nowhere.jsonl")));
  }

  @Test
  void damagedData() throws IOException {
    Files.write(data, new byte[] {(byte) 0xff, (byte) 0xfe, 0, 1});
    refused(1, "not UTF-8", sft());
    Files.write(data, new byte[] {0x1f, (byte) 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 'a'});
    refused(1, "damaged gzip file", sft());
  }

  @Test
  void dataOfAnotherKind() {
    Path pairs = TinyModel.pairs(folder, 4);
    refused(1, "see cria dpo", sft("--data", pairs));
    refused(1, "chosen and a rejected", "dpo", "--model", model, "--data", data, "--out", out);
    refused(1, "no multiple-choice question", "eval", "--model", model, "--choices", data);
  }

  @Test
  void dialoguesNeedATemplate() {
    TinyModel.text(
        data,
        "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"}]}\n");
    refused(1, "--template chatml", sft());
  }

  @Test
  void recordsLongerThanAllowed() {
    refused(1, "use --truncate or a larger --max-length", sft("--max-length", 8));
    refused(1, "more than the context", sft("--max-length", 4096));
    refused(1, "leaves none", sft("--hold-out", 20));
  }

  @Test
  void promptLongerThanTheContext() {
    refused(
        1,
        "the context of the model is 128",
        "generate",
        "--model",
        model,
        "--prompt",
        "x".repeat(500));
    Cli chat = Cli.typing("x".repeat(500) + "\n", "chat", "--model", model, "--template", "chatml");
    assertThat(chat.code()).isEqualTo(1);
    assertThat(chat.err()).contains("the context of the model is 128");
  }

  @Test
  void lossThatIsNotFiniteStopsAndKeepsTheLastCheckpoint() throws IOException {
    // Decay multiplies the weights by 1 - 1e5 * 1e5 at each step, so they soon pass 3e38.
    Cli result =
        Cli.run(
            sft(
                "--steps",
                20,
                "--lr",
                1e5,
                "--weight-decay",
                1e5,
                "--save-every",
                1,
                "--schedule",
                "constant",
                "--warmup",
                0));
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("stopped before the update", "the last checkpoint is");
    assertThat(result.err().strip().lines().filter(l -> l.startsWith("cria sft: "))).hasSize(1);
    Path checkpoint =
        Path.of(result.err().replaceAll("(?s).*the last checkpoint is ([^;\n]*).*", "$1"));
    assertThat(checkpoint.resolve("adapter_model.safetensors")).exists();
    assertThat(out.resolve("adapter")).doesNotExist();
  }

  @Test
  void outputThatExistsIsRefused() throws IOException {
    Files.createDirectory(out);
    Path precious = TinyModel.text(out.resolve("precious.txt"), "do not touch");
    refused(1, "exists already", sft());
    refused(1, "exists already", "import", model, out);
    refused(1, "exists already", "init", out, "--config", model.resolve("config.json"));
    assertThat(precious).hasContent("do not touch");
  }

  @Test
  void outputThatCannotBeWritten() {
    Path file = TinyModel.text(folder.resolve("file"), "x");
    Path below = file.resolve("out");
    refused(1, "cannot be written", sft("--out", below));
    refused(1, "cannot be written", "import", model, below);
    refused(1, "cannot be written", "init", below, "--config", model.resolve("config.json"));
    refused(1, "is a file", sft("--out", file));
    refused(1, "cannot be written", sft("--out", "/proc/cria"));
  }
}
