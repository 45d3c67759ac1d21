package dev.cria.llm.tokenizer;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.gguf.GgufFile;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Makes a tokenizer from the vocabulary inside a GGUF file: SentencePiece BPE ("llama") or
 * byte-level BPE ("gpt2").
 */
public final class GgufTokenizer {
  private static final String PREFIX = "tokenizer.ggml.";
  private static final String BYTE_LEVEL =
      "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":%s}";
  private static final String SEQUENCE = "{\"type\":\"Sequence\",\"pretokenizers\":[%s,%s]}";
  private static final String WORDS =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|%s| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  /** Pre-tokenisers by the name that the file gives. */
  private static final Map<String, Pre> PRE =
      Map.of(
          "default", new Pre(BYTE_LEVEL.formatted(true), "", false),
          "gpt-2", new Pre(BYTE_LEVEL.formatted(true), "", false),
          "smollm",
              new Pre(
                  SEQUENCE.formatted(
                      "{\"type\":\"Digits\",\"individual_digits\":true}",
                      BYTE_LEVEL.formatted(true)),
                  "",
                  false),
          "llama-bpe", new Pre(words("\\p{N}{1,3}"), "", true),
          "qwen2", new Pre(words("\\p{N}"), "NFC", false));

  /**
   * The {@code pre_tokenizer} entry, the Unicode normal form before it, whether whole tokens come
   * before merging.
   */
  private record Pre(String json, String form, boolean wholeFirst) {}

  private GgufTokenizer() {}

  /** Reads the tokenizer of a file; refuses kinds that are not supported by name. */
  public static Tokenizer load(GgufFile file) {
    String model = file.string(PREFIX + "model").orElse("absent");
    List<String> tokens =
        file.strings(PREFIX + "tokens")
            .orElseThrow(() -> bad(file, PREFIX + "tokens is absent; the file has no vocabulary"));
    return switch (model) {
      case "llama" -> sentencePiece(file, tokens);
      case "gpt2" -> byteLevel(file, tokens);
      default ->
          throw bad(file, "tokenizer model \"" + model + "\" is not supported; llama and gpt2 are");
    };
  }

  private static Tokenizer sentencePiece(GgufFile file, List<String> tokens) {
    double[] scores =
        file.numbers(PREFIX + "scores").orElseThrow(() -> bad(file, PREFIX + "scores is absent"));
    if (scores.length != tokens.size()) {
      throw bad(file, scores.length + " scores for " + tokens.size() + " tokens");
    }
    SpecialIds special = special(file, true);
    List<SentencePieceModel.Piece> pieces = new ArrayList<>();
    SentencePieceModel.Type[] types = types(file, tokens, special);
    boolean fallback = false;
    for (int id = 0; id < scores.length; id++) {
      if (tokens.get(id).isEmpty() || Double.isNaN(scores[id])) {
        throw bad(
            file,
            "token "
                + id
                + " \""
                + tokens.get(id)
                + "\" with score "
                + scores[id]
                + " cannot be used");
      }
      pieces.add(new SentencePieceModel.Piece(tokens.get(id), (float) scores[id], types[id]));
      fallback |= types[id] == SentencePieceModel.Type.BYTE;
    }
    int unk = Arrays.asList(types).indexOf(SentencePieceModel.Type.UNKNOWN);
    SentencePieceModel spm =
        new SentencePieceModel(
            pieces,
            new SentencePieceModel.Trainer(
                SentencePieceModel.Kind.BPE,
                fallback,
                unk,
                special.bos().orElse(-1),
                special.eos().orElse(-1),
                special.pad().orElse(-1),
                false),
            new SentencePieceModel.Normalizer(
                "identity",
                new byte[0],
                file.flag(PREFIX + "add_space_prefix").orElse(true),
                file.flag(PREFIX + "remove_extra_whitespaces").orElse(false),
                true),
            Optional.empty());
    return new SentencePieceTokenizer(spm, List.of(), special.addsBos());
  }

  /** Types as the file states them, or for files that do not, by the form of the piece. */
  private static SentencePieceModel.Type[] types(
      GgufFile file, List<String> tokens, SpecialIds special) {
    SentencePieceModel.Type[] types = new SentencePieceModel.Type[tokens.size()];
    Optional<long[]> codes = codes(file, tokens);
    for (int id = 0; id < types.length; id++) {
      if (codes.isPresent()) {
        types[id] = SentencePieceModel.Type.of((int) codes.get()[id], file.name());
      } else if (tokens.get(id).matches("<0x[0-9A-Fa-f]{2}>")) {
        types[id] = SentencePieceModel.Type.BYTE;
      } else if (tokens.get(id).equals("<unk>")) {
        types[id] = SentencePieceModel.Type.UNKNOWN;
      } else if (special.bos().orElse(-1) == id
          || special.eos().orElse(-1) == id
          || special.pad().orElse(-1) == id) {
        types[id] = SentencePieceModel.Type.CONTROL;
      } else {
        types[id] = SentencePieceModel.Type.NORMAL;
      }
    }
    return types;
  }

  private static Tokenizer byteLevel(GgufFile file, List<String> tokens) {
    String name = file.string(PREFIX + "pre").orElse("default");
    Pre pre = PRE.get(name);
    if (pre == null) {
      throw bad(
          file,
          "pre-tokeniser \""
              + name
              + "\" is not supported; "
              + String.join(", ", PRE.keySet().stream().sorted().toList())
              + " are");
    }
    List<String> merges =
        file.strings(PREFIX + "merges").orElseThrow(() -> bad(file, PREFIX + "merges is absent"));
    Set<String> seen = new HashSet<>();
    for (String token : tokens) {
      if (!seen.add(token)) {
        throw bad(file, "token \"" + token + "\" occurs twice");
      }
    }
    SpecialIds special = special(file, false);
    List<AddedToken> added = new ArrayList<>();
    Optional<long[]> codes = codes(file, tokens);
    for (int id = 0; id < tokens.size(); id++) {
      long code = codes.isPresent() ? codes.get()[id] : 1;
      if (code == SentencePieceModel.Type.USER_DEFINED.code()) {
        added.add(AddedToken.of(id, tokens.get(id), false));
      } else if (code == SentencePieceModel.Type.CONTROL.code()
          || code == SentencePieceModel.Type.UNKNOWN.code()) {
        added.add(AddedToken.of(id, tokens.get(id), true));
      }
    }
    int bos = special.addsBos() ? special.bos().orElse(-1) : -1;
    List<AddedToken> first =
        bos < 0 ? List.of() : List.of(AddedToken.of(bos, tokens.get(bos), true));
    JsonNode preNode = JsonMapper.shared().readTree(pre.json());
    byte[] json =
        TokenizerJsonWriter.byteLevel(
            tokens, merges, added, preNode, pre.form(), pre.wholeFirst(), first);
    TokenizerConfig declared =
        new TokenizerConfig(
            text(special.bos(), tokens),
            text(special.eos(), tokens),
            text(special.unk(), tokens),
            text(special.pad(), tokens),
            Optional.of(special.addsBos()),
            List.of());
    return TokenizerJson.parse(json, declared, file.name());
  }

  private static Optional<long[]> codes(GgufFile file, List<String> tokens) {
    Optional<long[]> codes = file.integers(PREFIX + "token_type");
    if (codes.isPresent() && codes.get().length != tokens.size()) {
      throw bad(file, codes.get().length + " token types for " + tokens.size() + " tokens");
    }
    return codes;
  }

  private static SpecialIds special(GgufFile file, boolean addsBos) {
    int size = file.strings(PREFIX + "tokens").orElse(List.of()).size();
    return new SpecialIds(
        id(file, "bos_token_id", size),
        id(file, "eos_token_id", size),
        id(file, "unknown_token_id", size),
        id(file, "padding_token_id", size),
        file.flag(PREFIX + "add_bos_token").orElse(addsBos));
  }

  private static OptionalInt id(GgufFile file, String key, int size) {
    OptionalInt id = file.id(PREFIX + key);
    if (id.isPresent() && (id.getAsInt() < 0 || id.getAsInt() >= size)) {
      throw bad(
          file, PREFIX + key + " is " + id.getAsInt() + ", outside the vocabulary of " + size);
    }
    return id;
  }

  private static Optional<String> text(OptionalInt id, List<String> tokens) {
    return id.isPresent() ? Optional.of(tokens.get(id.getAsInt())) : Optional.empty();
  }

  private static String words(String digits) {
    String pattern = JsonMapper.shared().writeValueAsString(WORDS.formatted(digits));
    String split =
        "{\"type\":\"Split\",\"pattern\":{\"Regex\":"
            + pattern
            + "},\"behavior\":\"Isolated\",\"invert\":false}";
    return SEQUENCE.formatted(split, BYTE_LEVEL.formatted(false));
  }

  private static InvalidInputException bad(GgufFile file, String problem) {
    return new InvalidInputException(file.name(), problem);
  }
}
