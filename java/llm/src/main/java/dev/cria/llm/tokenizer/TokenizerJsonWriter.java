package dev.cria.llm.tokenizer;

import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes vocabularies in the form of Hugging Face's {@code tokenizer.json}, so that its readers
 * give the same ids.
 */
final class TokenizerJsonWriter {
  private static final JsonMapper MAPPER = JsonMapper.shared();
  private static final String SPACE = "\u2581";

  /** Runs of spaces at both ends of a text. */
  static final String OUTER_SPACES = "\\A +| +\\z";

  private TokenizerJsonWriter() {}

  /**
   * A byte-level BPE.
   *
   * @param merges rules as two tokens with a space between, first rank first
   * @param preTokenizer the {@code pre_tokenizer} entry
   * @param form Unicode normal form applied first, or empty
   * @param bos token put before a text, or empty
   */
  static byte[] byteLevel(
      List<String> tokens,
      List<String> merges,
      List<AddedToken> added,
      JsonNode preTokenizer,
      String form,
      boolean wholeFirst,
      List<AddedToken> bos) {
    ObjectNode root = root(added);
    if (form.isEmpty()) {
      root.putNull("normalizer");
    } else {
      root.putObject("normalizer").put("type", form);
    }
    root.set("pre_tokenizer", preTokenizer);
    template(root, bos);
    ObjectNode decoder = root.putObject("decoder");
    decoder
        .put("type", "ByteLevel")
        .put("add_prefix_space", true)
        .put("trim_offsets", true)
        .put("use_regex", true);
    ObjectNode model = bpe(root, false, wholeFirst);
    model.putNull("unk_token");
    ObjectNode vocab = model.putObject("vocab");
    for (int id = 0; id < tokens.size(); id++) {
      vocab.put(tokens.get(id), id);
    }
    ArrayNode rules = model.putArray("merges");
    merges.forEach(rules::add);
    return MAPPER.writeValueAsBytes(root);
  }

  /** A SentencePiece model. */
  static byte[] sentencePiece(SentencePieceTokenizer tokenizer) {
    SentencePieceModel source = tokenizer.model();
    SentencePieceModel.Normalizer spec = source.normalizer();
    List<AddedToken> added = new ArrayList<>(tokenizer.addedTokens());
    for (int id = 0; id < source.pieces().size(); id++) {
      if (source.pieces().get(id).type() == SentencePieceModel.Type.USER_DEFINED) {
        added.add(AddedToken.of(id, source.pieces().get(id).text(), false));
      }
    }
    ObjectNode root = root(added);
    ArrayNode steps = root.putObject("normalizer").put("type", "Sequence").putArray("normalizers");
    if (spec.charsMap().length > 0) {
      steps
          .addObject()
          .put("type", "Precompiled")
          .put("precompiled_charsmap", Base64.getEncoder().encodeToString(spec.charsMap()));
    }
    if (spec.removeExtraWhitespaces()) {
      replace(steps, "Regex", OUTER_SPACES, "");
      replace(steps, "Regex", " {2,}", " ");
    }
    if (spec.addDummyPrefix()) {
      steps
          .addObject()
          .put("type", "Prepend")
          .put("prepend", spec.escapeWhitespaces() ? SPACE : " ");
    }
    if (spec.escapeWhitespaces()) {
      replace(steps, "String", " ", SPACE);
    }
    root.putNull("pre_tokenizer");
    int bos = tokenizer.bosId().orElse(-1);
    template(
        root, tokenizer.addsBos() ? added.stream().filter(t -> t.id() == bos).toList() : List.of());
    ArrayNode decoders = root.putObject("decoder").put("type", "Sequence").putArray("decoders");
    replace(decoders, "String", SPACE, " ");
    decoders.addObject().put("type", "ByteFallback");
    decoders.addObject().put("type", "Fuse");
    if (spec.addDummyPrefix()) {
      decoders.addObject().put("type", "Strip").put("content", " ").put("start", 1).put("stop", 0);
    }
    if (source.trainer().kind() == SentencePieceModel.Kind.UNIGRAM) {
      unigram(root, source);
    } else {
      scoredBpe(root, source);
    }
    return MAPPER.writeValueAsBytes(root);
  }

  private static void scoredBpe(ObjectNode root, SentencePieceModel source) {
    ObjectNode model = bpe(root, source.trainer().byteFallback(), false);
    int unk = source.trainer().unkId();
    if (unk >= 0) {
      model.put("unk_token", source.pieces().get(unk).text());
    }
    ObjectNode vocab = model.putObject("vocab");
    ByteTrie index = new ByteTrie();
    for (int id = 0; id < source.pieces().size(); id++) {
      SentencePieceModel.Piece piece = source.pieces().get(id);
      vocab.put(piece.text(), id);
      if (piece.type() == SentencePieceModel.Type.NORMAL
          || piece.type() == SentencePieceModel.Type.USER_DEFINED) {
        index.add(Utf8.encode(piece.text()), id);
      }
    }
    int[] ranks = MergesFromScores.ranks(source.pieces());
    List<Integer> order = new ArrayList<>();
    for (int id = 0; id < ranks.length; id++) {
      order.add(id);
    }
    order.sort(Comparator.comparingInt(id -> ranks[id]));
    ArrayNode merges = model.putArray("merges");
    for (int id : order) {
      byte[] raw = Utf8.encode(source.pieces().get(id).text());
      if (index.value(raw, 0, raw.length) != id) {
        continue;
      }
      for (int at = Utf8.length(raw[0] & 0xFF);
          at < raw.length;
          at += Utf8.length(raw[at] & 0xFF)) {
        int left = index.value(raw, 0, at);
        int right = index.value(raw, at, raw.length - at);
        if (left >= 0 && right >= 0) {
          merges
              .addArray()
              .add(source.pieces().get(left).text())
              .add(source.pieces().get(right).text());
        }
      }
    }
  }

  private static void unigram(ObjectNode root, SentencePieceModel source) {
    ObjectNode model = root.putObject("model").put("type", "Unigram");
    if (source.trainer().unkId() >= 0) {
      model.put("unk_id", source.trainer().unkId());
    }
    ArrayNode vocab = model.putArray("vocab");
    for (SentencePieceModel.Piece piece : source.pieces()) {
      vocab.addArray().add(piece.text()).add(piece.score());
    }
    model.put("byte_fallback", source.trainer().byteFallback());
  }

  private static ObjectNode root(List<AddedToken> added) {
    ObjectNode root = MAPPER.createObjectNode();
    root.put("version", "1.0");
    root.putNull("truncation");
    root.putNull("padding");
    ArrayNode tokens = root.putArray("added_tokens");
    for (AddedToken token :
        added.stream().sorted(Comparator.comparingInt(AddedToken::id)).toList()) {
      tokens
          .addObject()
          .put("id", token.id())
          .put("content", token.text())
          .put("single_word", false)
          .put("lstrip", token.leftStrip())
          .put("rstrip", token.rightStrip())
          .put("normalized", false)
          .put("special", token.special());
    }
    return root;
  }

  private static ObjectNode bpe(ObjectNode root, boolean byteFallback, boolean wholeFirst) {
    ObjectNode model = root.putObject("model").put("type", "BPE");
    model.putNull("dropout");
    model.putNull("continuing_subword_prefix");
    model.putNull("end_of_word_suffix");
    return model
        .put("fuse_unk", true)
        .put("byte_fallback", byteFallback)
        .put("ignore_merges", wholeFirst);
  }

  private static void replace(ArrayNode steps, String kind, String pattern, String content) {
    ObjectNode step = steps.addObject().put("type", "Replace");
    step.putObject("pattern").put(kind, pattern);
    step.put("content", content);
  }

  /** The post-processor that puts BOS before a text. */
  private static void template(ObjectNode root, List<AddedToken> bos) {
    if (bos.isEmpty()) {
      root.putNull("post_processor");
      return;
    }
    AddedToken token = bos.getFirst();
    ObjectNode processor = root.putObject("post_processor").put("type", "TemplateProcessing");
    ArrayNode single = processor.putArray("single");
    ArrayNode pair = processor.putArray("pair");
    for (ArrayNode list : List.of(single, pair)) {
      list.addObject().putObject("SpecialToken").put("id", token.text()).put("type_id", 0);
      list.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
    }
    pair.addObject().putObject("Sequence").put("id", "B").put("type_id", 1);
    ObjectNode entry = processor.putObject("special_tokens").putObject(token.text());
    entry.put("id", token.text());
    entry.putArray("ids").add(token.id());
    entry.putArray("tokens").add(token.text());
  }
}
