package dev.cria.llm.tokenizer;

import dev.cria.llm.InvalidInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What {@code tokenizer_config.json}, {@code special_tokens_map.json} and {@code added_tokens.json}
 * say beside a vocabulary.
 *
 * @param addBos whether texts begin with BOS, if stated
 * @param added further tokens with their ids
 */
record TokenizerConfig(
    Optional<String> bos,
    Optional<String> eos,
    Optional<String> unk,
    Optional<String> pad,
    Optional<Boolean> addBos,
    List<AddedToken> added) {

  static final TokenizerConfig NONE =
      new TokenizerConfig(
          Optional.empty(),
          Optional.empty(),
          Optional.empty(),
          Optional.empty(),
          Optional.empty(),
          List.of());

  /** Reads the files of a folder; absent ones say nothing. */
  static TokenizerConfig read(Path folder) throws IOException {
    JsonNode config = json(folder.resolve("tokenizer_config.json"));
    JsonNode map = json(folder.resolve("special_tokens_map.json"));
    JsonNode addBos = config.path("add_bos_token");
    return new TokenizerConfig(
        token(config, map, "bos_token"),
        token(config, map, "eos_token"),
        token(config, map, "unk_token"),
        token(config, map, "pad_token"),
        addBos.isBoolean() ? Optional.of(addBos.booleanValue()) : Optional.empty(),
        added(config, json(folder.resolve("added_tokens.json"))));
  }

  private static List<AddedToken> added(JsonNode config, JsonNode older) {
    List<AddedToken> tokens = new ArrayList<>();
    for (Map.Entry<String, JsonNode> entry : config.path("added_tokens_decoder").properties()) {
      JsonNode token = entry.getValue();
      if (entry.getKey().matches("[0-9]{1,9}") && !token.path("content").asString("").isEmpty()) {
        tokens.add(
            new AddedToken(
                Integer.parseInt(entry.getKey()),
                token.path("content").asString(""),
                token.path("special").asBoolean(false),
                token.path("lstrip").asBoolean(false),
                token.path("rstrip").asBoolean(false)));
      }
    }
    for (Map.Entry<String, JsonNode> entry : older.properties()) {
      int id = entry.getValue().asInt(-1);
      if (id >= 0 && tokens.stream().noneMatch(t -> t.id() == id)) {
        tokens.add(AddedToken.of(id, entry.getKey(), true));
      }
    }
    return tokens;
  }

  private static Optional<String> token(JsonNode config, JsonNode map, String name) {
    for (JsonNode holder : List.of(config, map)) {
      JsonNode node = holder.path(name);
      JsonNode text = node.isObject() ? node.path("content") : node;
      if (text.isString() && !text.stringValue().isEmpty()) {
        return Optional.of(text.stringValue());
      }
    }
    return Optional.empty();
  }

  private static JsonNode json(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      return JsonMapper.shared().createObjectNode();
    }
    try {
      return JsonMapper.shared().readTree(Files.readAllBytes(file));
    } catch (JacksonException e) {
      throw new InvalidInputException(
          file.toString(), "not valid JSON: " + e.getOriginalMessage(), e);
    }
  }
}
