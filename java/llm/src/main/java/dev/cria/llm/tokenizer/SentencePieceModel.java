package dev.cria.llm.tokenizer;

import dev.cria.llm.InvalidInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Contents of a SentencePiece {@code tokenizer.model}, as far as encoding and decoding need them.
 * Field numbers follow sentencepiece_model.proto of the SentencePiece project.
 *
 * @param pieces the vocabulary in id order
 * @param trainer kind of model and special ids
 * @param normalizer what happens to a text before it is cut into pieces
 * @param source the bytes the model was read from, if it was, so that it can be copied unchanged
 */
public record SentencePieceModel(
    List<Piece> pieces, Trainer trainer, Normalizer normalizer, Optional<byte[]> source) {
  private static final long MAX_BYTES = 256L << 20;

  /** How a piece is used. */
  public enum Type {
    /** Ordinary text. */
    NORMAL,
    /** Stands for text that no piece covers. */
    UNKNOWN,
    /** Never made from text, for example {@code </s>}. */
    CONTROL,
    /** Always found whole before anything else. */
    USER_DEFINED,
    /** One byte of text that no other piece covers, written {@code <0x0A>}. */
    BYTE,
    /** Merged on the way but never given out. */
    UNUSED;

    /** Number in the file format. */
    public int code() {
      return switch (this) {
        case NORMAL -> 1;
        case UNKNOWN -> 2;
        case CONTROL -> 3;
        case USER_DEFINED -> 4;
        case UNUSED -> 5;
        case BYTE -> 6;
      };
    }

    static Type of(int code, String where) {
      for (Type type : values()) {
        if (type.code() == code) {
          return type;
        }
      }
      throw new InvalidInputException(where, "unknown piece type " + code);
    }
  }

  /** The algorithm that cuts a text. */
  public enum Kind {
    /** Most probable segmentation. */
    UNIGRAM,
    /** Byte-pair encoding by score. */
    BPE
  }

  /**
   * One entry of the vocabulary.
   *
   * @param text the piece, with U+2581 for a space
   * @param score log-probability, or minus the merge order for BPE
   */
  public record Piece(String text, float score, Type type) {}

  /** What the file says about its training. An id of -1 means that there is no such piece. */
  public record Trainer(
      Kind kind,
      boolean byteFallback,
      int unkId,
      int bosId,
      int eosId,
      int padId,
      boolean whitespaceAsSuffix) {}

  /**
   * What happens to a text before it is cut.
   *
   * @param charsMap compiled character map, empty for none
   */
  public record Normalizer(
      String name,
      byte[] charsMap,
      boolean addDummyPrefix,
      boolean removeExtraWhitespaces,
      boolean escapeWhitespaces) {}

  /** Checks that there are pieces and that ids lie among them. */
  public SentencePieceModel {
    pieces = List.copyOf(pieces);
    if (pieces.isEmpty()) {
      throw new InvalidInputException("SentencePiece model", "it has no pieces");
    }
    for (int id : new int[] {trainer.unkId(), trainer.bosId(), trainer.eosId(), trainer.padId()}) {
      if (id < -1 || id >= pieces.size()) {
        throw new InvalidInputException(
            "SentencePiece model",
            "special id " + id + " outside the vocabulary of " + pieces.size());
      }
    }
  }

  /** Reads a {@code tokenizer.model}. */
  public static SentencePieceModel read(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new InvalidInputException(file.toString(), "no such file");
    }
    if (Files.size(file) > MAX_BYTES) {
      throw new InvalidInputException(
          file.toString(), "larger than 256 MiB; this is not a tokenizer");
    }
    return parse(Files.readAllBytes(file), file.toString());
  }

  /** Reads the bytes of a {@code tokenizer.model}; {@code where} names them in errors. */
  public static SentencePieceModel parse(byte[] bytes, String where) {
    List<Piece> pieces = new ArrayList<>();
    TrainerFields trainer = new TrainerFields();
    Normalizer normalizer = normalizer(null);
    ProtoReader in = new ProtoReader(bytes, where);
    for (int field = in.next(); field != 0; field = in.next()) {
      switch (field) {
        case 1 -> pieces.add(piece(in.message(), where));
        case 2 -> trainer.read(in.message(), where);
        case 3 -> normalizer = normalizer(in.message());
        default -> in.skip();
      }
    }
    if (pieces.isEmpty()) {
      throw new InvalidInputException(where, "not a SentencePiece model: it has no pieces");
    }
    return new SentencePieceModel(
        pieces, trainer.resolve(pieces, where), normalizer, Optional.of(bytes.clone()));
  }

  /** The model as file content: the bytes it was read from, or new ones. */
  public byte[] toBytes() {
    if (source.isPresent()) {
      return source.get().clone();
    }
    ProtoWriter out = new ProtoWriter();
    for (Piece piece : pieces) {
      ProtoWriter p = new ProtoWriter();
      p.text(1, piece.text());
      p.real(2, piece.score());
      p.number(3, piece.type().code());
      out.bytes(1, p.toByteArray());
    }
    ProtoWriter t = new ProtoWriter();
    t.number(3, trainer.kind() == Kind.UNIGRAM ? 1 : 2);
    t.number(4, pieces.size());
    t.flag(24, trainer.whitespaceAsSuffix());
    t.flag(35, trainer.byteFallback());
    t.number(40, trainer.unkId());
    t.number(41, trainer.bosId());
    t.number(42, trainer.eosId());
    t.number(43, trainer.padId());
    int[] ids = {trainer.unkId(), trainer.bosId(), trainer.eosId(), trainer.padId()};
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] >= 0) {
        t.text(45 + i, pieces.get(ids[i]).text());
      }
    }
    out.bytes(2, t.toByteArray());
    ProtoWriter n = new ProtoWriter();
    n.text(1, normalizer.name());
    n.bytes(2, normalizer.charsMap());
    n.flag(3, normalizer.addDummyPrefix());
    n.flag(4, normalizer.removeExtraWhitespaces());
    n.flag(5, normalizer.escapeWhitespaces());
    out.bytes(3, n.toByteArray());
    return out.toByteArray();
  }

  private static Piece piece(ProtoReader in, String where) {
    String text = "";
    float score = 0;
    Type type = Type.NORMAL;
    for (int field = in.next(); field != 0; field = in.next()) {
      switch (field) {
        case 1 -> text = in.text();
        case 2 -> score = in.real();
        case 3 -> type = Type.of(in.integer(), where);
        default -> in.skip();
      }
    }
    if (text.isEmpty() || Float.isNaN(score)) {
      throw new InvalidInputException(
          where, "piece \"" + text + "\" with score " + score + " cannot be used");
    }
    return new Piece(text, score, type);
  }

  private static Kind kind(int code, String where) {
    return switch (code) {
      case 1 -> Kind.UNIGRAM;
      case 2 -> Kind.BPE;
      default ->
          throw new InvalidInputException(
              where,
              "model type "
                  + (code == 3 ? "WORD" : code == 4 ? "CHAR" : code)
                  + " is not supported; UNIGRAM and BPE are");
    };
  }

  private static Normalizer normalizer(@Nullable ProtoReader in) {
    String name = "";
    byte[] charsMap = {};
    boolean dummy = true;
    boolean remove = true;
    boolean escape = true;
    if (in != null) {
      for (int field = in.next(); field != 0; field = in.next()) {
        switch (field) {
          case 1 -> name = in.text();
          case 2 -> charsMap = in.bytes();
          case 3 -> dummy = in.flag();
          case 4 -> remove = in.flag();
          case 5 -> escape = in.flag();
          default -> in.skip();
        }
      }
    }
    return new Normalizer(name, charsMap, dummy, remove, escape);
  }

  /** Fields of the trainer message with the defaults of the format. */
  private static final class TrainerFields {
    private Kind kind = Kind.UNIGRAM;
    private boolean byteFallback;
    private boolean whitespaceAsSuffix;
    private String bos = "<s>";
    private String eos = "</s>";
    private String pad = "<pad>";

    void read(ProtoReader in, String where) {
      for (int field = in.next(); field != 0; field = in.next()) {
        switch (field) {
          case 3 -> kind = kind(in.integer(), where);
          case 24 -> whitespaceAsSuffix = in.flag();
          case 35 -> byteFallback = in.flag();
          case 46 -> bos = in.text();
          case 47 -> eos = in.text();
          case 48 -> pad = in.text();
          default -> in.skip();
        }
      }
    }

    /**
     * As SentencePiece does it: special ids are found by piece, and count only where it is a
     * control piece.
     */
    Trainer resolve(List<Piece> pieces, String where) {
      int unk = -1;
      for (int id = 0; id < pieces.size(); id++) {
        if (pieces.get(id).type() == Type.UNKNOWN) {
          if (unk >= 0) {
            throw new InvalidInputException(
                where, "two pieces, " + unk + " and " + id + ", stand for unknown text");
          }
          unk = id;
        }
      }
      return new Trainer(
          kind,
          byteFallback,
          unk,
          control(bos, pieces),
          control(eos, pieces),
          control(pad, pieces),
          whitespaceAsSuffix);
    }

    private static int control(String text, List<Piece> pieces) {
      for (int id = 0; id < pieces.size(); id++) {
        if (pieces.get(id).type() == Type.CONTROL && pieces.get(id).text().equals(text)) {
          return id;
        }
      }
      return -1;
    }
  }
}
