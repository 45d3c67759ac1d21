package dev.cria.llm;

import dev.cria.autograd.Sequences;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A forward pass together with the predictions that count: prediction i is made by one row of the
 * pass and has one label. Predictions are in segments, one for each text or answer.
 *
 * @param tokens the rows
 * @param rows row that makes each prediction, {@code [L]}; the last row of a prompt makes the first
 *     prediction of each of its answers
 * @param labels token to be predicted, {@code [L]}
 * @param weights weight of each prediction in a loss, {@code [L]}
 * @param offsets predictions {@code offsets[s]} to {@code offsets[s + 1] - 1} are segment s's
 */
public record ScoredBatch(
    TokenBatch tokens, int[] rows, int[] labels, float[] weights, int[] offsets) {

  /** Number of predictions L. */
  public int predictions() {
    return rows.length;
  }

  /** Number of segments. */
  public int segments() {
    return offsets.length - 1;
  }

  /** Sum of the weights. */
  public double totalWeight() {
    double sum = 0;
    for (float w : weights) {
      sum += w;
    }
    return sum;
  }

  /** Whether every weight is 1. */
  public boolean unweighted() {
    for (float w : weights) {
      if (w != 1) {
        return false;
      }
    }
    return true;
  }

  /** Collects texts and answers into one batch. */
  public static final class Builder {
    private final List<int[]> parts = new ArrayList<>();
    private final List<int[]> table = new ArrayList<>();
    private final List<Segment> segments = new ArrayList<>();
    private int rows;

    private record Segment(int[] rows, int[] labels, float[] weights) {}

    /** An empty batch. */
    public Builder() {}

    /** Rows so far. */
    public int rows() {
      return rows;
    }

    /** Adds a text as a segment in which each token but the first is predicted, with weight 1. */
    public Builder text(int[] ids) {
      float[] ones = new float[ids.length];
      Arrays.fill(ones, 1);
      return text(ids, ones);
    }

    /**
     * Adds a text as a segment.
     *
     * @param weights weight of each token as a prediction; 0: not predicted. That of the first
     *     token is not used
     */
    public Builder text(int[] ids, float[] weights) {
      if (ids.length != weights.length) {
        throw new IllegalArgumentException(
            "text of " + ids.length + " tokens with " + weights.length + " weights");
      }
      int start = sequence(ids, 0, 0);
      int count = 0;
      for (int i = 1; i < ids.length; i++) {
        count += weights[i] != 0 ? 1 : 0;
      }
      Segment segment = new Segment(new int[count], new int[count], new float[count]);
      int at = 0;
      for (int i = 1; i < ids.length; i++) {
        if (weights[i] != 0) {
          segment.rows[at] = start + i - 1;
          segment.labels[at] = ids[i];
          segment.weights[at++] = weights[i];
        }
      }
      segments.add(segment);
      return this;
    }

    /**
     * Adds answers to one prompt, whose rows are computed once; each answer is a segment in which
     * all its tokens are predicted.
     *
     * @param prompt at least one token
     */
    public Builder answers(int[] prompt, int[]... answers) {
      if (prompt.length == 0) {
        throw new IllegalArgumentException("an answer needs a prompt of at least one token");
      }
      int promptStart = sequence(prompt, 0, 0);
      for (int[] answer : answers) {
        int start = sequence(answer, promptStart, prompt.length);
        Segment segment = new Segment(answer.clone(), answer.clone(), new float[answer.length]);
        Arrays.fill(segment.weights, 1);
        for (int i = 0; i < answer.length; i++) {
          segment.rows[i] = i == 0 ? promptStart + prompt.length - 1 : start + i - 1;
        }
        segments.add(segment);
      }
      return this;
    }

    private int sequence(int[] ids, int prefixStart, int prefixLength) {
      int start = rows;
      parts.add(ids);
      table.add(new int[] {start, ids.length, prefixStart, prefixLength});
      rows += ids.length;
      return start;
    }

    /** The batch, segments in the order in which they were added. */
    public ScoredBatch build() {
      int[] order = new int[segments.size()];
      for (int i = 0; i < order.length; i++) {
        order[i] = i;
      }
      return build(order);
    }

    /** The batch with its segments in another order: segment s is the {@code order[s]}-th added. */
    public ScoredBatch build(int[] order) {
      int[] ids = new int[rows];
      int[] places = new int[rows];
      int[] flat = new int[4 * table.size()];
      for (int s = 0; s < table.size(); s++) {
        int[] entry = table.get(s); // start, length, prefix start, prefix length
        System.arraycopy(parts.get(s), 0, ids, entry[0], entry[1]);
        for (int i = 0; i < entry[1]; i++) {
          places[entry[0] + i] = entry[3] + i;
        }
        System.arraycopy(entry, 0, flat, 4 * s, 4);
      }
      int[] offsets = new int[order.length + 1];
      for (int s = 0; s < order.length; s++) {
        offsets[s + 1] = offsets[s] + segments.get(order[s]).rows.length;
      }
      int total = offsets[order.length];
      ScoredBatch batch =
          new ScoredBatch(
              new TokenBatch(ids, places, new Sequences(flat)),
              new int[total],
              new int[total],
              new float[total],
              offsets);
      for (int s = 0; s < order.length; s++) {
        Segment segment = segments.get(order[s]);
        System.arraycopy(segment.rows, 0, batch.rows, offsets[s], segment.rows.length);
        System.arraycopy(segment.labels, 0, batch.labels, offsets[s], segment.rows.length);
        System.arraycopy(segment.weights, 0, batch.weights, offsets[s], segment.rows.length);
      }
      return batch;
    }
  }
}
