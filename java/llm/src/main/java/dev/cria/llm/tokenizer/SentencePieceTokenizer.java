package dev.cria.llm.tokenizer;

import dev.cria.llm.InvalidInputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * A SentencePiece tokenizer: BPE by score or Unigram, with byte fallback. Follows the SentencePiece
 * library, with two things of LLaMA's usual surroundings: special tokens may be parsed from text,
 * and each stretch of text between them gets a dummy prefix of its own.
 */
public final class SentencePieceTokenizer implements Tokenizer {
  /** Which stretches of text get a dummy prefix, where the model has one. */
  enum Prefix {
    /** Every stretch between special tokens. */
    EVERY,
    /** Every stretch, unless it begins with a space already. */
    EVERY_WITHOUT,
    /** Only a stretch at the very start, unless it begins with a space already. */
    FIRST_WITHOUT
  }

  private final SentencePieceModel model;
  private final AddedTokens added;
  private final SpecialIds special;
  private final Prefix prefix;
  private final int size;
  private final SentencePieceNormalizer normalizer;
  private final SentencePieceNormalizer unprefixed;
  private final ByteTrie pieces = new ByteTrie();
  private final ByteTrie userDefined = new ByteTrie();
  private final int[] byteIds = new int[256];
  private final @Nullable BpeMerges merges;
  private final byte[][] bytes;
  private final Optional<byte[]> json;

  /**
   * A tokenizer on a model.
   *
   * @param added further tokens, with ids after those of the model or within it
   * @param addsBos whether texts begin with BOS
   */
  public SentencePieceTokenizer(SentencePieceModel model, List<AddedToken> added, boolean addsBos) {
    this(model, added, declared(model, addsBos), Prefix.EVERY, null, Optional.empty());
  }

  /**
   * With merge rules of its own instead of those that follow from the scores, read from {@code
   * json}.
   */
  SentencePieceTokenizer(
      SentencePieceModel model,
      List<AddedToken> added,
      SpecialIds special,
      Prefix prefix,
      @Nullable BpeMerges own,
      Optional<byte[]> json) {
    this.json = json;
    this.model = model;
    this.special = special;
    this.prefix = prefix;
    this.added = new AddedTokens(withControls(model, added));
    this.size = sizeWith(model.pieces().size(), this.added.all());
    this.bytes = new byte[size][];
    index();
    boolean suffix = model.trainer().whitespaceAsSuffix();
    SentencePieceModel.Normalizer n = model.normalizer();
    this.normalizer = new SentencePieceNormalizer(n, suffix, userDefined, "tokenizer model");
    this.unprefixed =
        new SentencePieceNormalizer(
            new SentencePieceModel.Normalizer(
                n.name(), n.charsMap(), false, n.removeExtraWhitespaces(), n.escapeWhitespaces()),
            suffix,
            userDefined,
            "tokenizer model");
    if (model.trainer().kind() == SentencePieceModel.Kind.BPE) {
      this.merges = own != null ? own : MergesFromScores.build(model.pieces(), pieces);
    } else {
      this.merges = null;
    }
  }

  /** The model this works on. */
  public SentencePieceModel model() {
    return model;
  }

  /** Control pieces and further tokens that are looked for in text. */
  List<AddedToken> addedTokens() {
    return added.all();
  }

  /** The {@code tokenizer.json} this was read from, if it was. */
  Optional<byte[]> json() {
    return json;
  }

  @Override
  public int[] encode(String text, boolean parseSpecial) {
    return encode(text, parseSpecial, false);
  }

  @Override
  public int[] encodeContinuation(String text, boolean parseSpecial) {
    return encode(text, parseSpecial, true);
  }

  private int[] encode(String text, boolean parseSpecial, boolean continues) {
    IntList ids = new IntList();
    boolean first = true;
    for (AddedTokens.Part part : added.split(text, parseSpecial)) {
      if (part.token() != null) {
        ids.add(part.token().id());
      } else {
        byte[] normal =
            normalizerFor(part.text(), first, first && continues).normalize(part.text());
        if (merges != null) {
          byMerging(normal, merges, ids);
        } else {
          new UnigramLattice(model, pieces, normal).best(this::give, ids);
        }
      }
      first = false;
    }
    return ids.toArray();
  }

  private SentencePieceNormalizer normalizerFor(String text, boolean first, boolean continues) {
    boolean has = text.startsWith(" ") || text.startsWith("\u2581");
    if (continues) {
      // Where leading spaces are squeezed away, the dummy one stands for those that join the texts.
      return has && model.normalizer().removeExtraWhitespaces() ? normalizer : unprefixed;
    }
    return switch (prefix) {
      case EVERY -> normalizer;
      case EVERY_WITHOUT -> has ? unprefixed : normalizer;
      case FIRST_WITHOUT -> first && !has ? normalizer : unprefixed;
    };
  }

  @Override
  public TokenDecoder decoder(boolean skipSpecial) {
    SentencePieceModel.Normalizer n = model.normalizer();
    boolean dropsSpace = n.addDummyPrefix() || n.removeExtraWhitespaces();
    return new TokenDecoder() {
      private boolean start = true;

      @Override
      protected byte[] bytesOf(int id) {
        if (isSpecial(id)) {
          boolean unknown = id == model.trainer().unkId();
          start = unknown ? false : prefix != Prefix.FIRST_WITHOUT || start;
          return !skipSpecial ? bytes[id] : unknown ? Utf8.encode(" \u2047 ") : new byte[0];
        }
        byte[] text = bytes[id];
        boolean strip = start && dropsSpace && text.length > 0 && text[0] == ' ';
        byte[] rest = strip ? Arrays.copyOfRange(text, 1, text.length) : text;
        // Where runs of spaces mean nothing, all that stand at the start go; else the one that was
        // put there.
        start &= n.removeExtraWhitespaces() && rest.length == 0;
        return rest;
      }
    };
  }

  @Override
  public int vocabSize() {
    return size;
  }

  @Override
  public OptionalInt bosId() {
    return special.bos();
  }

  @Override
  public OptionalInt eosId() {
    return special.eos();
  }

  @Override
  public OptionalInt unkId() {
    return special.unk();
  }

  @Override
  public OptionalInt padId() {
    return special.pad();
  }

  @Override
  public boolean addsBos() {
    return special.addsBos() && special.bos().isPresent();
  }

  @Override
  public boolean isSpecial(int id) {
    AddedToken token = added.get(checked(id));
    return token != null && token.special();
  }

  @Override
  public String piece(int id) {
    AddedToken token = added.get(checked(id));
    return token != null ? token.text() : model.pieces().get(id).text();
  }

  private int checked(int id) {
    if (id < 0 || id >= size) {
      throw new InvalidInputException(
          "tokenizer", "id " + id + " outside the vocabulary of " + size);
    }
    return id;
  }

  private void byMerging(byte[] text, BpeMerges rules, IntList ids) {
    int[] symbols = new int[text.length];
    int[] starts = new int[text.length + 1];
    int count = 0;
    for (int at = 0; at < text.length; ) {
      starts[count] = at;
      int whole = userDefined.isEmpty() ? 0 : userDefined.longest(text, at);
      if (whole > 0) {
        // Negative symbols take part in no rule: a user-defined piece stays as it is.
        symbols[count++] = -2 - userDefined.value(text, at, whole);
        at += whole;
      } else {
        int length = Math.min(Utf8.length(text[at] & 0xFF), text.length - at);
        symbols[count++] = pieces.value(text, at, length);
        at += length;
      }
    }
    count = rules.apply(symbols, starts, count);
    starts[count] = text.length;
    for (int i = 0; i < count; i++) {
      int symbol = symbols[i] < -1 ? -2 - symbols[i] : symbols[i];
      boolean known = symbol >= 0 && symbol < model.pieces().size();
      give(known ? symbol : -1, text, starts[i], starts[i + 1], ids);
    }
  }

  /** Adds a piece, or for unknown text (-1) its bytes or one unknown id for a whole run. */
  private void give(int id, byte[] text, int from, int to, IntList ids) {
    if (id >= 0) {
      ids.add(id);
    } else if (model.trainer().byteFallback()) {
      for (int i = from; i < to; i++) {
        ids.add(byteIds[text[i] & 0xFF]);
      }
    } else if (ids.last() != model.trainer().unkId()) {
      ids.add(model.trainer().unkId());
    }
  }

  private void index() {
    Arrays.fill(byteIds, -1);
    List<SentencePieceModel.Piece> list = model.pieces();
    boolean escapes = model.normalizer().escapeWhitespaces();
    for (int id = 0; id < list.size(); id++) {
      SentencePieceModel.Piece piece = list.get(id);
      byte[] raw = Utf8.encode(piece.text());
      bytes[id] = escapes ? Utf8.encode(piece.text().replace('\u2581', ' ')) : raw;
      switch (piece.type()) {
        case NORMAL -> pieces.add(raw, id);
        case USER_DEFINED -> {
          pieces.add(raw, id);
          userDefined.add(raw, id);
        }
        case BYTE -> {
          int value = byteValue(piece.text());
          byteIds[value] = id;
          bytes[id] = new byte[] {(byte) value};
        }
        case UNKNOWN, CONTROL -> bytes[id] = raw;
        case UNUSED -> {}
      }
    }
    for (AddedToken token : added.all()) {
      bytes[token.id()] = Utf8.encode(token.text());
    }
    if (model.trainer().byteFallback()) {
      for (int value = 0; value < 256; value++) {
        if (byteIds[value] < 0) {
          throw new InvalidInputException(
              "tokenizer model", "byte fallback without a piece for byte " + value);
        }
      }
    } else if (model.trainer().unkId() < 0) {
      throw new InvalidInputException(
          "tokenizer model", "neither byte fallback nor a piece for unknown text");
    }
  }

  private static int byteValue(String piece) {
    if (piece.matches("<0x[0-9A-Fa-f]{2}>")) {
      return Integer.parseInt(piece.substring(3, 5), 16);
    }
    throw new InvalidInputException(
        "tokenizer model", "byte piece \"" + piece + "\" is not of the form <0x00>");
  }

  private static List<AddedToken> withControls(SentencePieceModel model, List<AddedToken> added) {
    List<AddedToken> tokens = new ArrayList<>(added);
    for (int id = 0; id < model.pieces().size(); id++) {
      SentencePieceModel.Piece piece = model.pieces().get(id);
      int here = id;
      if ((piece.type() == SentencePieceModel.Type.CONTROL
              || piece.type() == SentencePieceModel.Type.UNKNOWN)
          && added.stream().noneMatch(t -> t.id() == here)) {
        tokens.add(AddedToken.of(id, piece.text(), true));
      }
    }
    return tokens;
  }

  private static int sizeWith(int pieces, List<AddedToken> added) {
    int size = pieces;
    boolean[] seen = new boolean[added.size()];
    for (AddedToken token : added) {
      int beyond = token.id() - pieces;
      if (token.id() < 0 || beyond >= added.size()) {
        throw new InvalidInputException(
            "tokenizer",
            "added token \""
                + token.text()
                + "\" has id "
                + token.id()
                + ", which leaves a gap after "
                + pieces
                + " pieces");
      }
      if (beyond >= 0) {
        seen[beyond] = true;
        size = Math.max(size, token.id() + 1);
      }
    }
    for (int i = 0; i < size - pieces; i++) {
      if (!seen[i]) {
        throw new InvalidInputException("tokenizer", "no token has id " + (pieces + i));
      }
    }
    return size;
  }

  private static SpecialIds declared(SentencePieceModel model, boolean addsBos) {
    SentencePieceModel.Trainer t = model.trainer();
    return new SpecialIds(
        optional(t.bosId()),
        optional(t.eosId()),
        optional(t.unkId()),
        optional(t.padId()),
        addsBos);
  }

  private static OptionalInt optional(int id) {
    return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
  }
}
