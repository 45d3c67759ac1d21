package dev.cria.cli;

import dev.cria.llm.tokenizer.TokenDecoder;
import dev.cria.llm.tokenizer.Tokenizer;
import java.io.PrintWriter;
import org.jspecify.annotations.Nullable;

/** Text that appears token by token: kept, and printed at once if wanted. */
final class TextStream {
  private final StringBuilder text = new StringBuilder();
  private final TokenDecoder decoder;
  private final int vocabulary;
  private final @Nullable PrintWriter out;

  /** Special tokens are left out; {@code out} null: print nothing. */
  TextStream(Tokenizer tokenizer, @Nullable PrintWriter out) {
    this.decoder = tokenizer.decoder(true);
    this.vocabulary = tokenizer.vocabSize();
    this.out = out;
  }

  void accept(int id) {
    // Embeddings may have been padded beyond the tokens; such an id has no text.
    if (id < vocabulary) {
      emit(decoder.accept(id));
    }
  }

  /** Ends the text and gives all of it. */
  String finish() {
    emit(decoder.finish());
    return text.toString();
  }

  private void emit(String piece) {
    text.append(piece);
    if (out != null) {
      out.print(piece);
      out.flush();
    }
  }
}
