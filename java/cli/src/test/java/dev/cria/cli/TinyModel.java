package dev.cria.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/** A model of a few thousand weights with a tokenizer of one token for each byte. */
final class TinyModel {
  static final int CONTEXT = 128;

  /** 256 bytes, then these. */
  static final List<String> SPECIAL = List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>");

  private TinyModel() {}

  /** {@code config.json} of the model. */
  static Path config(Path folder) {
    return config(folder, 264);
  }

  static Path config(Path folder, int vocabulary) {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("model_type", "llama");
    c.put("hidden_size", 32);
    c.put("intermediate_size", 48);
    c.put("num_hidden_layers", 2);
    c.put("num_attention_heads", 4);
    c.put("num_key_value_heads", 2);
    c.put("vocab_size", vocabulary);
    c.put("max_position_embeddings", CONTEXT);
    c.put("rms_norm_eps", 1e-5);
    c.put("tie_word_embeddings", true);
    c.put("bos_token_id", 256);
    c.put("eos_token_id", 258);
    c.put("initializer_range", 0.1);
    return write(folder.resolve("config.json"), c);
  }

  /** {@code tokenizer.json} with {@code tokenizer_config.json} beside it. */
  static Path tokenizer(Path folder) {
    Map<String, Integer> vocabulary = new LinkedHashMap<>();
    int beyond = 256;
    // The bytes as GPT-2 writes them: printable ones as they are, the others from U+0100 on.
    for (int b = 0; b < 256; b++) {
      boolean printable = b >= 33 && b <= 126 || b >= 161 && b <= 172 || b >= 174;
      vocabulary.put(Character.toString(printable ? b : beyond++), b);
    }
    Map<String, Object> json = new LinkedHashMap<>();
    json.put(
        "added_tokens",
        SPECIAL.stream()
            .map(t -> Map.of("id", 256 + SPECIAL.indexOf(t), "content", t, "special", true))
            .toList());
    Map<String, Object> bytes = Map.of("type", "ByteLevel", "add_prefix_space", false);
    json.put("pre_tokenizer", bytes);
    json.put("decoder", Map.of("type", "ByteLevel"));
    json.put("model", Map.of("type", "BPE", "vocab", vocabulary, "merges", List.of()));
    write(
        folder.resolve("tokenizer_config.json"),
        Map.of("bos_token", "<|endoftext|>", "eos_token", "<|im_end|>", "add_bos_token", true));
    return write(folder.resolve("tokenizer.json"), json);
  }

  /** A whole model folder. */
  static Path make(Path folder, Object... more) {
    try {
      Path source = Files.createTempDirectory(folder, "source");
      Path model = folder.resolve("model-" + source.getFileName());
      Object[] args = {
        "init", model, "--config", config(source), "--tokenizer", tokenizer(source), "--quiet"
      };
      Object[] all = java.util.Arrays.copyOf(args, args.length + more.length);
      System.arraycopy(more, 0, all, args.length, more.length);
      Cli.ok(all);
      return model;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Records that say which letter follows a letter. */
  static Path instructions(Path folder, int count) {
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < count; i++) {
      char c = (char) ('a' + i % 25);
      lines.append(
          "{\"prompt\": \"after %s%d \", \"completion\": \"comes %s\"}\n"
              .formatted(c, i, (char) (c + 1)));
    }
    return text(folder.resolve("instructions.jsonl"), lines.toString());
  }

  /** Pairs in which the chosen answer is the next letter. */
  static Path pairs(Path folder, int count) {
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < count; i++) {
      char c = (char) ('a' + i % 25);
      lines.append(
          "{\"prompt\": \"after %s%d \", \"chosen\": \"comes %s\", \"rejected\": \"no %s\"}\n"
              .formatted(c, i, (char) (c + 1), c));
    }
    return text(folder.resolve("pairs.jsonl"), lines.toString());
  }

  static Path text(Path file, String text) {
    try {
      return Files.writeString(file, text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path write(Path file, Object json) {
    return text(
        file, new String(JsonMapper.shared().writeValueAsBytes(json), StandardCharsets.UTF_8));
  }
}
