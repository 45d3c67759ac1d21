package dev.cria.llm.tokenizer;

import java.util.Arrays;
import java.util.List;

/**
 * The merge rules that follow from a scored vocabulary: two neighbours are joined if the result is
 * a piece, higher scores first. A character that occurs inside pieces without being one gets a
 * symbol past the vocabulary.
 */
final class MergesFromScores {
  private MergesFromScores() {}

  /**
   * Builds the rules; {@code index} holds the usable pieces and gains the characters that are none.
   */
  static BpeMerges build(List<SentencePieceModel.Piece> pieces, ByteTrie index) {
    int[] ranks = ranks(pieces);
    int extra = pieces.size();
    BpeMerges merges = new BpeMerges();
    boolean[] usable = new boolean[pieces.size()];
    for (int id = 0; id < pieces.size(); id++) {
      byte[] raw = Utf8.encode(pieces.get(id).text());
      usable[id] = index.value(raw, 0, raw.length) == id;
      for (int at = 0, length; usable[id] && at < raw.length; at += length) {
        length = Utf8.length(raw[at] & 0xFF);
        if (index.value(raw, at, length) < 0) {
          index.add(Arrays.copyOfRange(raw, at, at + length), extra++);
        }
      }
    }
    for (int id = 0; id < pieces.size(); id++) {
      if (!usable[id]) {
        continue;
      }
      byte[] raw = Utf8.encode(pieces.get(id).text());
      for (int at = Utf8.length(raw[0] & 0xFF);
          at < raw.length;
          at += Utf8.length(raw[at] & 0xFF)) {
        int left = index.value(raw, 0, at);
        int right = index.value(raw, at, raw.length - at);
        if (left >= 0 && right >= 0) {
          merges.add(left, right, ranks[id], id);
        }
      }
    }
    return merges;
  }

  /** Rank of each piece: 0 for the highest score, equal for equal scores. */
  static int[] ranks(List<SentencePieceModel.Piece> pieces) {
    float[] scores = new float[pieces.size()];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = pieces.get(i).score() + 0f; // -0 and 0 are one score
    }
    float[] sorted = scores.clone();
    Arrays.sort(sorted);
    int[] ranks = new int[scores.length];
    for (int i = 0; i < scores.length; i++) {
      ranks[i] = sorted.length - 1 - lastIndex(sorted, scores[i]);
    }
    return ranks;
  }

  private static int lastIndex(float[] sorted, float score) {
    int low = 0;
    int high = sorted.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (sorted[middle] <= score) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low - 1;
  }
}
