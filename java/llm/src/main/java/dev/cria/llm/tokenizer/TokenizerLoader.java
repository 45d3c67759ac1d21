package dev.cria.llm.tokenizer;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.gguf.GgufFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;

/** Opens the tokenizer of a model folder, or a tokenizer file of any kind that Cria knows. */
public final class TokenizerLoader {
  private TokenizerLoader() {}

  /**
   * Tokenizer of a folder: {@code tokenizer.model} if there is one, else {@code tokenizer.json}.
   */
  public static Tokenizer load(Path folder) throws IOException {
    for (String name : new String[] {"tokenizer.model", "tokenizer.json"}) {
      if (Files.isRegularFile(folder.resolve(name))) {
        return loadFile(folder.resolve(name));
      }
    }
    throw new InvalidInputException(
        folder.toString(), "no tokenizer: neither tokenizer.model nor tokenizer.json is there");
  }

  /**
   * Tokenizer of one file: a SentencePiece model, a {@code tokenizer.json} or a GGUF file, told
   * apart by content. What the configuration files beside it say about special tokens counts for
   * the first two.
   */
  public static Tokenizer loadFile(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new InvalidInputException(file.toString(), "no such file");
    }
    byte[] head;
    try (var in = Files.newInputStream(file)) {
      head = in.readNBytes(4);
    }
    if (head.length == 4 && head[0] == 'G' && head[1] == 'G' && head[2] == 'U' && head[3] == 'F') {
      try (GgufFile gguf = GgufFile.open(file)) {
        return GgufTokenizer.load(gguf);
      }
    }
    Path folder = file.toAbsolutePath().getParent();
    TokenizerConfig config = folder == null ? TokenizerConfig.NONE : TokenizerConfig.read(folder);
    boolean json =
        head.length > 0
            && (head[0] == '{'
                || Character.isWhitespace(head[0]) && file.toString().endsWith(".json"));
    if (json) {
      return TokenizerJson.parse(Files.readAllBytes(file), config, file.toString());
    }
    SentencePieceModel model = SentencePieceModel.read(file);
    SentencePieceModel.Trainer t = model.trainer();
    SpecialIds special =
        new SpecialIds(
            id(config.bos(), t.bosId(), model, config),
            id(config.eos(), t.eosId(), model, config),
            id(config.unk(), t.unkId(), model, config),
            id(config.pad(), t.padId(), model, config),
            config.addBos().orElse(true));
    return new SentencePieceTokenizer(
        model,
        config.added(),
        special,
        SentencePieceTokenizer.Prefix.EVERY,
        null,
        Optional.empty());
  }

  /** The id of a declared token, or the model's own where nothing is declared or known. */
  private static OptionalInt id(
      Optional<String> text, int own, SentencePieceModel model, TokenizerConfig config) {
    if (text.isPresent()) {
      for (AddedToken token : config.added()) {
        if (token.text().equals(text.get())) {
          return OptionalInt.of(token.id());
        }
      }
      for (int id = 0; id < model.pieces().size(); id++) {
        if (model.pieces().get(id).text().equals(text.get())) {
          return OptionalInt.of(id);
        }
      }
    }
    return own < 0 ? OptionalInt.empty() : OptionalInt.of(own);
  }
}
