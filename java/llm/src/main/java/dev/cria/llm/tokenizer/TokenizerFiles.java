package dev.cria.llm.tokenizer;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a tokenizer into a model folder so that Python's {@code AutoTokenizer} and Cria itself
 * read the same ids from it.
 */
public final class TokenizerFiles {
  private static final JsonMapper MAPPER =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private TokenizerFiles() {}

  /**
   * Writes {@code tokenizer.json}, {@code tokenizer_config.json}, {@code special_tokens_map.json}
   * and, for a SentencePiece model, {@code tokenizer.model}. Files that were read unchanged are
   * copied unchanged.
   *
   * @param chatTemplate the model's Jinja template, if it has one
   * @param contextLength longest sequence in tokens
   */
  public static void write(
      Tokenizer tokenizer, Path folder, Optional<String> chatTemplate, int contextLength)
      throws IOException {
    Files.createDirectories(folder);
    List<AddedToken> added;
    byte[] json;
    switch (tokenizer) {
      case SentencePieceTokenizer spm -> {
        added = spm.addedTokens();
        json = spm.json().orElseGet(() -> TokenizerJsonWriter.sentencePiece(spm));
        if (spm.json().isEmpty()) {
          Files.write(folder.resolve("tokenizer.model"), spm.model().toBytes());
        }
      }
      case ByteLevelTokenizer bytes -> {
        added = bytes.addedTokens();
        json = bytes.json();
      }
      default ->
          throw new IllegalArgumentException(
              "no file format for " + tokenizer.getClass().getName());
    }
    Files.write(folder.resolve("tokenizer.json"), json);
    ObjectNode special = MAPPER.createObjectNode();
    put(special, "bos_token", tokenizer, tokenizer.bosId());
    put(special, "eos_token", tokenizer, tokenizer.eosId());
    put(special, "unk_token", tokenizer, tokenizer.unkId());
    put(special, "pad_token", tokenizer, tokenizer.padId());
    Files.write(folder.resolve("special_tokens_map.json"), pretty(special));
    ObjectNode config = MAPPER.createObjectNode();
    // The generic class takes tokenizer.json as it is; classes of model families rebuild it in ways
    // of their own.
    config.put("tokenizer_class", "PreTrainedTokenizerFast");
    config.setAll(special);
    config.put("add_bos_token", tokenizer.addsBos());
    config.put("add_eos_token", false);
    config.put("clean_up_tokenization_spaces", false);
    config.put("model_max_length", contextLength);
    ObjectNode decoder = config.putObject("added_tokens_decoder");
    for (AddedToken token : sorted(added)) {
      decoder
          .putObject(Integer.toString(token.id()))
          .put("content", token.text())
          .put("lstrip", token.leftStrip())
          .put("normalized", false)
          .put("rstrip", token.rightStrip())
          .put("single_word", false)
          .put("special", token.special());
    }
    chatTemplate.ifPresent(template -> config.put("chat_template", template));
    Files.write(folder.resolve("tokenizer_config.json"), pretty(config));
  }

  private static List<AddedToken> sorted(List<AddedToken> tokens) {
    List<AddedToken> list = new ArrayList<>(tokens);
    list.sort(Comparator.comparingInt(AddedToken::id));
    return list;
  }

  private static void put(ObjectNode node, String name, Tokenizer tokenizer, OptionalInt id) {
    if (id.isPresent()) {
      node.put(name, tokenizer.piece(id.getAsInt()));
    }
  }

  private static byte[] pretty(ObjectNode node) {
    return (MAPPER.writeValueAsString(node) + "\n").getBytes(StandardCharsets.UTF_8);
  }
}
