package dev.cria.bench;

/** Shapes that the benchmarks run on. */
public enum Model {
  /** Those of OpenLLaMA-3B. */
  OPENLLAMA_3B(3200, 8640, 32000, 32, 1024),
  /** Small enough to run everything once in seconds: a test that the benchmarks work. */
  TINY(64, 160, 320, 2, 24);

  final int width;
  final int hidden;
  final int vocabulary;
  final int heads;
  final int square;

  Model(int width, int hidden, int vocabulary, int heads, int square) {
    this.width = width;
    this.hidden = hidden;
    this.vocabulary = vocabulary;
    this.heads = heads;
    this.square = square;
  }

  int headWidth() {
    return width / heads;
  }

  /** Weights of a LoRA adapter of this rank on all linear layers of all 26 blocks. */
  long adapterSize(int rank) {
    return 26L * rank * (4L * (width + width) + 3L * (width + hidden));
  }

  /**
   * How many of something must take turns so that none is still in a cache when its turn comes.
   *
   * @param bytes of one
   */
  int turns(double bytes) {
    double cold = this == TINY ? 2 * bytes : 256 << 20;
    return (int) Math.max(2, Math.ceil(cold / bytes));
  }
}
