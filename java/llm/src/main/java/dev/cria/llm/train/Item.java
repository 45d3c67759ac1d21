package dev.cria.llm.train;

/** One piece of training data, ready for the model: a text or a pair of answers. */
public interface Item {
  /** Rows it takes in a packed batch. */
  int rows();

  /** What it counts for in the divisor of a step's loss: labelled tokens, or 1 for a pair. */
  double weight();

  /** Where it was read, for errors. */
  String origin();

  /** A number that depends on all its tokens, to recognise the data of an interrupted run. */
  long fingerprint();
}
