package dev.cria.llm.tokenizer;

import dev.cria.llm.InvalidInputException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * How a {@code tokenizer.json} of the SentencePiece kind prepares a text: its normaliser and its
 * {@code Metaspace} pre-tokeniser, if it has one.
 *
 * @param normalizer the same in the terms of SentencePiece
 * @param scheme where a space is put before a text
 */
record SpaceRule(SentencePieceModel.Normalizer normalizer, SentencePieceTokenizer.Prefix scheme) {
  private static final String SPACE = "\u2581";

  /** Reads the two entries; refuses what has no such meaning. */
  static SpaceRule read(JsonNode normalizer, JsonNode pre, String where) {
    List<JsonNode> steps = new ArrayList<>();
    if (normalizer.path("type").asString("").equals("Sequence")) {
      normalizer.path("normalizers").forEach(steps::add);
    } else if (normalizer.isObject()) {
      steps.add(normalizer);
    }
    byte[] charsMap = {};
    boolean prepend = false;
    boolean escape = false;
    boolean removeExtra = false;
    for (JsonNode step : steps) {
      String type = step.path("type").asString("");
      String literal = step.path("pattern").path("String").asString("");
      String regex = step.path("pattern").path("Regex").asString("");
      String content = step.path("content").asString("");
      if (type.equals("Prepend") && step.path("prepend").asString("").equals(SPACE)) {
        prepend = true;
      } else if (type.equals("Replace") && literal.equals(" ") && content.equals(SPACE)) {
        escape = true;
      } else if (type.equals("Replace") && regex.equals(" {2,}") && content.equals(" ")) {
        removeExtra = true;
      } else if (type.equals("Precompiled")) {
        charsMap = charsMap(step, where);
      } else if (!(type.equals("Replace")
          && regex.equals(TokenizerJsonWriter.OUTER_SPACES)
          && content.isEmpty())) {
        throw new InvalidInputException(
            where,
            "normaliser "
                + step
                + " is not supported in tokenizer.json; put the tokenizer.model beside it");
      }
    }
    SentencePieceTokenizer.Prefix scheme = SentencePieceTokenizer.Prefix.EVERY;
    if (!pre.isMissingNode() && !pre.isNull()) {
      if (!pre.path("type").asString("").equals("Metaspace")
          || pre.path("split").asBoolean(true)
          || prepend) {
        throw new InvalidInputException(
            where,
            "pre-tokeniser "
                + pre
                + " is not supported; ByteLevel and Metaspace without split are");
      }
      String name = pre.path("prepend_scheme").asString("always");
      scheme =
          switch (name) {
            case "always" -> SentencePieceTokenizer.Prefix.EVERY_WITHOUT;
            case "first" -> SentencePieceTokenizer.Prefix.FIRST_WITHOUT;
            case "never" -> scheme;
            default ->
                throw new InvalidInputException(
                    where, "prepend_scheme \"" + name + "\" is not supported");
          };
      prepend = !name.equals("never");
    } else if (!escape) {
      throw new InvalidInputException(
          where, "neither a ByteLevel pre-tokeniser nor a rule for spaces");
    }
    return new SpaceRule(
        new SentencePieceModel.Normalizer("", charsMap, prepend, removeExtra, true), scheme);
  }

  private static byte[] charsMap(JsonNode step, String where) {
    try {
      return Base64.getDecoder().decode(step.path("precompiled_charsmap").asString(""));
    } catch (IllegalArgumentException e) {
      throw new InvalidInputException(where, "precompiled_charsmap is not Base64", e);
    }
  }
}
