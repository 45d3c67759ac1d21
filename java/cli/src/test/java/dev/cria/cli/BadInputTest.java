package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Input that cannot be used: one clear line on standard error, exit code 1 (failure) or 2 (usage),
 * and no file made, changed or removed.
 */
class BadInputTest {
  @TempDir private Path folder;
  private Path model = Path.of("");
  private Path data = Path.of("");
  private Path out = Path.of("");

  @BeforeEach
  void makeModel() {
    model = TinyModel.make(folder);
    data = TinyModel.instructions(folder, 20);
    out = folder.resolve("out");
  }

  /** Runs a command that must fail with this code and message and leave every file as it was. */
  private void refused(int code, String message, Object... args) {
    Map<String, String> before = files();
    Cli result = Cli.run(args);
    assertThat(result.err()).contains(message);
    assertThat(result.code()).isEqualTo(code);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).startsWith("cria " + args[0] + ": ").doesNotContain("\tat ");
    // An error of usage has a second line that names the help.
    assertThat(result.err().strip().lines().count()).isEqualTo(code);
    assertThat(files()).isEqualTo(before);
  }

  /** Size and time of everything in the folder. */
  private Map<String, String> files() {
    Map<String, String> all = new TreeMap<>();
    try (Stream<Path> walk = Files.walk(folder)) {
      for (Path p : walk.filter(p -> !p.equals(folder)).toList()) {
        all.put(
            p.toString(),
            (Files.isDirectory(p) ? "folder" : Files.size(p)) + " " + Files.getLastModifiedTime(p));
      }
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return all;
  }

  /** {@code cria sft} with further options, which replace those of the same name. */
  private Object[] sft(Object... more) {
    List<Object> args = new ArrayList<>(List.of("sft"));
    Map<String, Object> usual = new LinkedHashMap<>();
    usual.put("--model", model);
    usual.put("--data", data);
    usual.put("--out", out);
    usual.put("--steps", 2);
    usual.forEach(
        (name, value) -> {
          if (!Arrays.asList(more).contains(name)) {
            args.add(name);
            args.add(value);
          }
        });
    args.addAll(Arrays.asList(more));
    return args.toArray();
  }

  private Path tensors() {
    return model.resolve("model.safetensors");
  }

  @ParameterizedTest
  @CsvSource({
    "--rank, 0, 1 or more expected",
    "--rank, -4, 1 or more expected",
    "--rank, many, --rank",
    "--alpha, 0, a positive number",
    "--dropout, 1, below 1",
    "--lr, -1, a positive number",
    "--lr, NaN, a positive number",
    "--batch-tokens, 0, 1 or more",
    "--accumulate, 0, 1 or more",
    "--warmup, 200%, out of range",
    "--memory, lots, is not a size",
    "--template, none, is not known",
    "--schedule, square, --schedule",
    "--quantize, int3, --quantize",
    "--eval-every, 5, needs --eval-data or --hold-out",
    "--no-such-option, 1, Unknown option"
  })
  void settingsThatCannotBeAreUsageErrors(String option, String value, String message) {
    refused(2, message, sft(option, value));
  }

  @Test
  void optionsThatContradictEachOtherAreUsageErrors() {
    refused(2, "--full trains the weights", sft("--full", "--quantize", "nf4"));
    refused(2, "--rank is for a new adapter", sft("--full", "--rank", 4));
    refused(2, "not both", sft("--epochs", 2));
    refused(2, "not both", sft("--resume", "--overwrite"));
    refused(2, "not both", sft("--truncate", "--drop-long"));
  }

  @Test
  void missingOptionsAreUsageErrors() {
    refused(2, "Missing required option", "sft", "--model", model, "--out", out);
    refused(2, "Missing required", "init", out);
    refused(2, "Missing required", "eval", "--model", model);
    refused(2, "Missing required", "import", model);
  }

  @ParameterizedTest
  @CsvSource({
    "--beta, 0, a positive number",
    "--beta, -0.1, a positive number",
    "--loss, best, is no loss",
    "--label-smoothing, 0.5, below 0.5",
    "--batch-pairs, 0, 1 or more"
  })
  void preferenceSettingsThatCannotBeAreUsageErrors(String option, String value, String message) {
    Path pairs = TinyModel.pairs(folder, 4);
    refused(2, message, "dpo", "--model", model, "--data", pairs, "--out", out, option, value);
  }

  @Test
  void labelSmoothingIsForTheSigmoidLoss() {
    Path pairs = TinyModel.pairs(folder, 4);
    refused(
        2,
        "is for --loss sigmoid",
        "dpo",
        "--model",
        model,
        "--data",
        pairs,
        "--out",
        out,
        "--loss",
        "ipo",
        "--label-smoothing",
        0.1);
  }

  @ParameterizedTest
  @CsvSource({
    "--temperature, -1, 0 or more",
    "--top-p, 0, above 0",
    "--top-k, -1, 0 or more",
    "--max-tokens, -1, cannot be"
  })
  void samplingThatCannotBeIsAUsageError(String option, String value, String message) {
    refused(2, message, "generate", "--model", model, option, value);
  }

  @Test
  void truncatedSafetensors() throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(tensors().toFile(), "rw")) {
      file.setLength(file.length() - 100);
    }
    refused(1, "model.safetensors", "generate", "--model", model, "--greedy");
    refused(1, "model.safetensors", "import", model, out);
    refused(1, "model.safetensors", sft());
  }

  @Test
  void overlappingSafetensors() throws IOException {
    header(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
            + "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
        12);
    refused(1, "inside the tensor before it", "info", model);
    refused(1, "inside the tensor before it", "import", model, out);
  }

  private void header(String json, int data) throws IOException {
    byte[] text = json.getBytes(StandardCharsets.UTF_8);
    ByteBuffer file = ByteBuffer.allocate(8 + text.length + data).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(tensors(), file.putLong(text.length).put(text).array());
  }

  @Test
  void safetensorsHeaderOfAnEnormousLength() throws IOException {
    ByteBuffer file = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN).putLong(1L << 60);
    Files.write(tensors(), file.array());
    refused(1, "header", "info", model);
    refused(1, "header", sft());
  }

  @Test
  void tensorOfAnotherShape() {
    TinyModel.config(model, 261);
    refused(1, "[264, 32]", "generate", "--model", model);
    refused(1, "[264, 32]", "import", model, out);
    refused(1, "[264, 32]", "info", model);
  }

  @Test
  void missingShard() throws IOException {
    Files.delete(tensors());
    TinyModel.text(
        model.resolve("model.safetensors.index.json"),
        "{\"weight_map\": {\"model.norm.weight\": \"model-00001-of-00002.safetensors\"}}");
    refused(1, "missing shard", "info", model);
    refused(1, "missing shard", sft());
  }

  @Test
  void truncatedAndHostileGguf() throws IOException {
    Path gguf = folder.resolve("model.gguf");
    ByteBuffer start = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
    start.put("GGUF".getBytes(StandardCharsets.US_ASCII)).putInt(3).putLong(1).putLong(1);
    Files.write(gguf, start.array());
    refused(1, "model.gguf", "import", gguf, out);
    // A key of 2^60 bytes.
    ByteBuffer hostile = ByteBuffer.allocate(40).order(ByteOrder.LITTLE_ENDIAN).put(start.array());
    Files.write(gguf, hostile.putLong(1L << 60).putLong(0).array());
    refused(1, "model.gguf", "import", gguf, out);
    // 2^60 tensors.
    ByteBuffer many = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
    many.put("GGUF".getBytes(StandardCharsets.US_ASCII)).putInt(3).putLong(1L << 60).putLong(0);
    Files.write(gguf, many.array());
    refused(1, "model.gguf", "import", gguf, out);
  }

  @Test
  void fileOfNoKnownFormat() {
    Path file = TinyModel.text(folder.resolve("notes"), "not a model at all, but long enough");
    refused(1, "notes", "import", file, out);
    refused(1, "no such file", "import", folder.resolve("nowhere"), out);
    refused(1, "no such model folder", sft("--model", folder.resolve("nowhere")));
  }

  @Test
  void tokenizerOfAnotherSize() throws IOException {
    Path other = Files.createDirectory(folder.resolve("other"));
    Path shape = TinyModel.config(other, 1000);
    Path tokenizer = TinyModel.tokenizer(other);
    refused(1, "do not belong together", "init", out, "--config", shape, "--tokenizer", tokenizer);
    TinyModel.config(model, 1000);
    refused(1, "do not belong together", sft());
  }

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

  @Test
  void unknownDevice() {
    refused(1, "tpu", sft("--device", "tpu"));
  }

  @Test
  void adapterThatIsCutOrOfAnotherKind() throws IOException {
    Path run = folder.resolve("run");
    Cli.ok(
        "sft", "--model", model, "--data", data, "--out", run, "--steps", 1, "--targets", "q_proj");
    Path weights = run.resolve("adapter/adapter_model.safetensors");
    try (RandomAccessFile file = new RandomAccessFile(weights.toFile(), "rw")) {
      file.setLength(file.length() - 4);
    }
    refused(1, "truncated", "generate", "--model", model, "--adapter", run.resolve("adapter"));
    Path config = run.resolve("adapter/adapter_config.json");
    TinyModel.text(config, "{\"peft_type\": \"PREFIX\"}");
    refused(
        1,
        "adapter_config.json",
        "generate",
        "--model",
        model,
        "--adapter",
        run.resolve("adapter"));
    refused(
        1,
        "adapter_config.json",
        "merge",
        "--model",
        model,
        "--adapter",
        run.resolve("adapter"),
        "--out",
        out);
  }
}
