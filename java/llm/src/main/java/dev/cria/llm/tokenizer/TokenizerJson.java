package dev.cria.llm.tokenizer;

import dev.cria.llm.InvalidInputException;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads the {@code tokenizer.json} of Hugging Face "fast" tokenizers: byte-level BPE, and BPE over
 * characters with byte fallback as LLaMA's SentencePiece vocabularies are written in that form.
 * What it does not know it refuses by name.
 */
final class TokenizerJson {
  private final JsonNode root;
  private final String where;
  private final byte[] source;
  private final List<String> tokens;
  private final Map<String, Integer> ids = new HashMap<>();
  private final List<AddedToken> added = new ArrayList<>();

  private TokenizerJson(byte[] bytes, String where) {
    this.where = where;
    this.source = bytes;
    try {
      root = JsonMapper.shared().readTree(bytes);
    } catch (JacksonException e) {
      throw new InvalidInputException(where, "not valid JSON: " + e.getOriginalMessage(), e);
    }
    JsonNode model = root.path("model");
    // Files of early versions leave the type out.
    String type = model.path("type").asString(model.has("merges") ? "BPE" : "");
    if (!type.equals("BPE")) {
      throw bad("model type \"" + type + "\" is not supported; BPE is");
    }
    for (String name : List.of("dropout", "continuing_subword_prefix", "end_of_word_suffix")) {
      JsonNode value = model.path(name);
      boolean none =
          value.isMissingNode()
              || value.isNull()
              || (value.isString() && value.stringValue().isEmpty());
      if (!none && !(value.isNumber() && value.doubleValue() == 0)) {
        throw bad(name + " " + value + " is not supported");
      }
    }
    tokens = readTokens(model.path("vocab"));
  }

  /**
   * Reads a tokenizer; {@code declared} are special token texts and flags from the files beside it.
   */
  static Tokenizer parse(byte[] bytes, TokenizerConfig declared, String where) {
    TokenizerJson json = new TokenizerJson(bytes, where);
    JsonNode pre = json.root.path("pre_tokenizer");
    return contains(pre, "ByteLevel")
        ? json.byteLevel(pre, declared)
        : json.sentencePiece(pre, declared);
  }

  private Tokenizer byteLevel(JsonNode pre, TokenizerConfig declared) {
    return new ByteLevelTokenizer(
        tokens,
        readMerges(),
        new PreTokenizer(pre, where),
        form(root.path("normalizer")),
        added,
        specialIds(declared),
        unk(),
        root.path("model").path("ignore_merges").asBoolean(false),
        source);
  }

  private Tokenizer sentencePiece(JsonNode pre, TokenizerConfig declared) {
    SpecialIds special = specialIds(declared);
    boolean fallback = root.path("model").path("byte_fallback").asBoolean(false);
    SpaceRule rule = SpaceRule.read(root.path("normalizer"), pre, where);
    List<SentencePieceModel.Piece> pieces = new ArrayList<>();
    for (int id = 0; id < tokens.size(); id++) {
      String text = tokens.get(id);
      SentencePieceModel.Type type = SentencePieceModel.Type.NORMAL;
      if (unk().orElse(-1) == id) {
        type = SentencePieceModel.Type.UNKNOWN;
      } else if (fallback && text.matches("<0x[0-9A-Fa-f]{2}>")) {
        type = SentencePieceModel.Type.BYTE;
      } else if (isSpecial(id)) {
        type = SentencePieceModel.Type.CONTROL;
      }
      pieces.add(new SentencePieceModel.Piece(text, 0, type));
    }
    SentencePieceModel model =
        new SentencePieceModel(
            pieces,
            new SentencePieceModel.Trainer(
                SentencePieceModel.Kind.BPE,
                fallback,
                unk().orElse(-1),
                special.bos().orElse(-1),
                special.eos().orElse(-1),
                special.pad().orElse(-1),
                false),
            rule.normalizer(),
            Optional.empty());
    return new SentencePieceTokenizer(
        model, added, special, rule.scheme(), readMerges(), Optional.of(source));
  }

  private boolean isSpecial(int id) {
    return added.stream().anyMatch(t -> t.id() == id && t.special());
  }

  private List<String> readTokens(JsonNode vocab) {
    if (!vocab.isObject() || vocab.isEmpty()) {
      throw bad("the vocabulary is missing");
    }
    for (JsonNode token : root.path("added_tokens")) {
      added.add(
          new AddedToken(
              token.path("id").asInt(-1),
              token.path("content").asString(""),
              token.path("special").asBoolean(false),
              token.path("lstrip").asBoolean(false),
              token.path("rstrip").asBoolean(false)));
    }
    int limit = vocab.size() + added.size();
    @Nullable String[] list = new String[limit];
    for (Map.Entry<String, JsonNode> entry : vocab.properties()) {
      put(list, entry.getValue().asInt(-1), entry.getKey());
    }
    for (AddedToken token : added) {
      put(list, token.id(), token.text());
    }
    int size = limit;
    while (size > 0 && list[size - 1] == null) {
      size--;
    }
    List<String> result = new ArrayList<>(size);
    for (int id = 0; id < size; id++) {
      String text = list[id];
      if (text == null) {
        throw bad("no token has id " + id);
      }
      result.add(text);
    }
    return result;
  }

  private void put(@Nullable String[] list, int id, String text) {
    if (id < 0 || id >= list.length) {
      throw bad(
          "token \"" + text + "\" has id " + id + ", 0 to " + (list.length - 1) + " expected");
    }
    String there = list[id];
    if (there != null && !there.equals(text)) {
      throw bad("id " + id + " stands for both \"" + there + "\" and \"" + text + "\"");
    }
    list[id] = text;
    ids.put(text, id);
  }

  private BpeMerges readMerges() {
    BpeMerges merges = new BpeMerges();
    int rank = 0;
    for (JsonNode node : root.path("model").path("merges")) {
      String left;
      String right;
      if (node.isArray() && node.size() == 2) {
        left = node.get(0).asString("");
        right = node.get(1).asString("");
      } else {
        String rule = node.asString("");
        int space = rule.indexOf(' ');
        if (space < 0) {
          throw bad("merge " + rank + " is " + node + ", two tokens expected");
        }
        left = rule.substring(0, space);
        right = rule.substring(space + 1);
      }
      merges.add(id(left, rank), id(right, rank), rank, id(left + right, rank));
      rank++;
    }
    return merges;
  }

  private int id(String token, int rank) {
    Integer id = ids.get(token);
    if (id == null) {
      throw bad("merge " + rank + " names \"" + token + "\", which is not in the vocabulary");
    }
    return id;
  }

  private SpecialIds specialIds(TokenizerConfig declared) {
    OptionalInt bosByTemplate = templateStart(root.path("post_processor"));
    OptionalInt bos = find(declared.bos());
    if (bos.isEmpty()) {
      bos = bosByTemplate;
    }
    boolean addsBos = declared.addBos().orElse(bosByTemplate.isPresent());
    return new SpecialIds(
        bos,
        find(declared.eos()),
        unk().isPresent() ? unk() : find(declared.unk()),
        find(declared.pad()),
        addsBos && bos.isPresent());
  }

  /** The id that the model itself gives for text it does not know. */
  private OptionalInt unk() {
    return find(Optional.of(root.path("model").path("unk_token").asString("")));
  }

  private OptionalInt find(Optional<String> token) {
    Integer id = token.isEmpty() || token.get().isEmpty() ? null : ids.get(token.get());
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /** Id of the special token that a template puts before a text, if it does. */
  private OptionalInt templateStart(JsonNode processor) {
    for (JsonNode part : processor.path("processors")) {
      OptionalInt id = templateStart(part);
      if (id.isPresent()) {
        return id;
      }
    }
    JsonNode first = processor.path("single").path(0).path("SpecialToken").path("id");
    return find(Optional.of(first.asString("")));
  }

  private Optional<Normalizer.Form> form(JsonNode node) {
    if (node.isMissingNode() || node.isNull()) {
      return Optional.empty();
    }
    String type = node.path("type").asString("");
    if (type.equals("Sequence")) {
      JsonNode parts = node.path("normalizers");
      if (parts.size() <= 1) {
        return form(parts.path(0));
      }
    }
    if (Arrays.stream(Normalizer.Form.values()).noneMatch(f -> f.name().equals(type))) {
      throw bad(
          "normaliser "
              + node
              + " is not supported for byte-level BPE; NFC, NFD, NFKC and NFKD are");
    }
    return Optional.of(Normalizer.Form.valueOf(type));
  }

  private static boolean contains(JsonNode pre, String type) {
    if (pre.path("type").asString("").equals(type)) {
      return true;
    }
    for (JsonNode stage : pre.path("pretokenizers")) {
      if (contains(stage, type)) {
        return true;
      }
    }
    return false;
  }

  private InvalidInputException bad(String problem) {
    return new InvalidInputException(where, problem);
  }
}
