package dev.cria.llm.tokenizer;

import dev.cria.llm.InvalidInputException;
import java.text.Normalizer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Byte-pair encoding over bytes, as GPT-2, LLaMA 3, Qwen 2 and SmolLM do it. Any text can be
 * encoded and comes back.
 */
public final class ByteLevelTokenizer implements Tokenizer {
  private final List<String> tokens;
  private final Map<String, Integer> ids = new HashMap<>();
  private final BpeMerges merges;
  private final PreTokenizer preTokenizer;
  private final Optional<Normalizer.Form> form;
  private final AddedTokens added;
  private final SpecialIds special;
  private final OptionalInt unknown;
  private final boolean wholeFirst;
  private final byte[] json;
  private final int[] byteIds = new int[256];
  private final byte[][] bytes;

  /**
   * Made by {@link TokenizerJson}.
   *
   * @param unknown what stands for a byte without a token; nothing does if empty
   * @param wholeFirst whether a stretch that is a token as a whole is taken before any merging
   * @param json the {@code tokenizer.json} this was read from
   */
  ByteLevelTokenizer(
      List<String> tokens,
      BpeMerges merges,
      PreTokenizer preTokenizer,
      Optional<Normalizer.Form> form,
      List<AddedToken> added,
      SpecialIds special,
      OptionalInt unknown,
      boolean wholeFirst,
      byte[] json) {
    this.tokens = List.copyOf(tokens);
    this.merges = merges;
    this.preTokenizer = preTokenizer;
    this.form = form;
    this.added = new AddedTokens(added);
    this.special = special;
    this.unknown = unknown;
    this.wholeFirst = wholeFirst;
    this.json = json;
    this.bytes = new byte[tokens.size()][];
    for (int id = 0; id < bytes.length; id++) {
      AddedToken token = this.added.get(id);
      bytes[id] = token != null ? Utf8.encode(token.text()) : ByteAlphabet.bytes(tokens.get(id));
      ids.putIfAbsent(tokens.get(id), id);
    }
    for (int value = 0; value < 256; value++) {
      byteIds[value] = ids.getOrDefault(String.valueOf(ByteAlphabet.character(value)), -1);
    }
  }

  /** The tokenizer as content of a {@code tokenizer.json}. */
  byte[] json() {
    return json;
  }

  /** The tokens that are looked for in text. */
  List<AddedToken> addedTokens() {
    return added.all();
  }

  @Override
  public int[] encode(String text, boolean parseSpecial) {
    IntList out = new IntList();
    for (AddedTokens.Part part : added.split(Utf8.wellFormed(text), parseSpecial)) {
      if (part.token() != null) {
        out.add(part.token().id());
        continue;
      }
      String normal =
          form.isPresent() ? Normalizer.normalize(part.text(), form.get()) : part.text();
      for (String stretch : preTokenizer.split(normal)) {
        merge(Utf8.encode(stretch), stretch, out);
      }
    }
    return out.toArray();
  }

  private void merge(byte[] stretch, String text, IntList out) {
    if (wholeFirst) {
      Integer whole = ids.get(ByteAlphabet.write(text));
      if (whole != null) {
        out.add(whole);
        return;
      }
    }
    int[] symbols = new int[stretch.length];
    int count = 0;
    for (byte b : stretch) {
      int id = byteIds[b & 0xFF];
      if (id >= 0) {
        symbols[count++] = id;
      } else if (unknown.isPresent()) {
        symbols[count++] = -2 - unknown.getAsInt();
      }
    }
    count = merges.apply(symbols, null, count);
    for (int i = 0; i < count; i++) {
      out.add(symbols[i] < 0 ? -2 - symbols[i] : symbols[i]);
    }
  }

  @Override
  public TokenDecoder decoder(boolean skipSpecial) {
    return new TokenDecoder() {
      @Override
      protected byte[] bytesOf(int id) {
        return isSpecial(id) && skipSpecial ? new byte[0] : bytes[id];
      }
    };
  }

  @Override
  public int vocabSize() {
    return tokens.size();
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
    return special.addsBos();
  }

  @Override
  public boolean isSpecial(int id) {
    if (id < 0 || id >= bytes.length) {
      throw new InvalidInputException(
          "tokenizer", "id " + id + " outside the vocabulary of " + bytes.length);
    }
    AddedToken token = added.get(id);
    return token != null && token.special();
  }

  @Override
  public String piece(int id) {
    return isSpecial(id) ? Utf8.decode(bytes[id], 0, bytes[id].length) : tokens.get(id);
  }
}
