package dev.cria.llm.tokenizer;

import java.util.Arrays;

/**
 * The most probable cut of a text into pieces of a Unigram model, found by dynamic programming from
 * left to right.
 */
final class UnigramLattice {
  /**
   * What unknown text costs below the least probable piece; the value of the SentencePiece library.
   */
  private static final float UNKNOWN_PENALTY = 10f;

  private final SentencePieceModel model;
  private final ByteTrie pieces;
  private final byte[] text;
  private final float[] best;
  private final int[] from;
  private final int[] ids;

  /** Takes the pieces of a result in order; {@code id} is -1 for unknown text. */
  interface Sink {
    /** {@code text[from, to)} is piece {@code id}. */
    void give(int id, byte[] text, int from, int to, IntList ids);
  }

  UnigramLattice(SentencePieceModel model, ByteTrie pieces, byte[] text) {
    this.model = model;
    this.pieces = pieces;
    this.text = text;
    this.best = new float[text.length + 1];
    this.from = new int[text.length + 1];
    this.ids = new int[text.length + 1];
  }

  void best(Sink sink, IntList out) {
    float least = Float.MAX_VALUE;
    float most = -Float.MAX_VALUE;
    for (SentencePieceModel.Piece piece : model.pieces()) {
      if (piece.type() == SentencePieceModel.Type.NORMAL) {
        least = Math.min(least, piece.score());
        most = Math.max(most, piece.score());
      }
    }
    float unknown = least - UNKNOWN_PENALTY;
    float top = most;
    Arrays.fill(from, -1);
    for (int at = 0; at < text.length; ) {
      int start = at;
      int length = Math.min(Utf8.length(text[at] & 0xFF), text.length - at);
      boolean[] covered = {false};
      pieces.prefixes(
          text,
          at,
          (id, count) -> {
            SentencePieceModel.Piece piece = model.pieces().get(id);
            boolean own = piece.type() == SentencePieceModel.Type.USER_DEFINED;
            // A user-defined piece scores above any cut of the same text.
            offer(start, start + count, own ? count * top - 0.1f : piece.score(), id);
            covered[0] |= count == length;
          });
      if (!covered[0]) {
        offer(start, start + length, unknown, -1);
      }
      at += length;
    }
    int count = 0;
    int[] ends = new int[text.length + 1];
    for (int end = text.length; end > 0; end = from[end]) {
      ends[count++] = end;
    }
    for (int i = count - 1; i >= 0; i--) {
      sink.give(ids[ends[i]], text, from[ends[i]], ends[i], out);
    }
  }

  private void offer(int start, int end, float score, int id) {
    float total = best[start] + score;
    if (from[end] < 0 || total > best[end]) {
      best[end] = total;
      from[end] = start;
      ids[end] = id;
    }
  }
}
