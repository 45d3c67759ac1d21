package dev.cria.llm;

/**
 * The order of rows in query and key projections. Some formats rotate neighbouring pairs (2i,
 * 2i+1), Hugging Face folders rotate (i, i + D/2): the even rows of each head come first, then the
 * odd ones.
 */
public final class RotaryRows {
  private RotaryRows() {}

  /**
   * Row of an interleaved matrix that belongs at {@code row} of the half-split one, for heads of
   * width {@code headDim}.
   */
  public static long interleavedRow(long row, int headDim) {
    long head = row / headDim;
    long within = row % headDim;
    int half = headDim / 2;
    return head * headDim + (within < half ? 2 * within : 2 * (within - half) + 1);
  }
}
