package dev.cria.cli;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Checkpoints, tokenizers and adapters that cannot be used. */
class BadModelTest extends Refusals {
  private Path tensors() {
    return model.resolve("model.safetensors");
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
  void adapterThatIsCutOrOfAnotherKind() throws IOException {
    Path run = folder.resolve("run");
    Cli.ok(
        "sft", "--model", model, "--data", data, "--out", run, "--steps", 1, "--targets", "q_proj");
    refused(1, "give that one", "generate", "--model", model, "--adapter", run);
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
