package dev.cria.llm.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Copies the tokenizer files of one model folder into another, byte for byte. */
public final class TokenizerCopy implements ModelWriter.Extra {
  private static final List<String> NAMES =
      List.of(
          "tokenizer.model",
          "tokenizer.json",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "added_tokens.json",
          "chat_template.jinja",
          "vocab.json",
          "merges.txt");

  private final Path from;

  /** Files are taken from this folder; those it does not have are left out. */
  public TokenizerCopy(Path from) {
    this.from = from;
  }

  @Override
  public void writeTo(Path folder) throws IOException {
    for (String name : NAMES) {
      Path file = from.resolve(name);
      if (Files.isRegularFile(file)) {
        Files.copy(file, folder.resolve(name));
      }
    }
  }
}
