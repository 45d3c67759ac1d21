package dev.cria.cli.demo;

/**
 * Sizes of a demo.
 *
 * @param hidden width of the model; heads are 32 wide
 * @param intermediate width of its feed-forward part
 * @param layers blocks of the model
 * @param shortest letters of the shortest word
 * @param longest letters of the longest word
 * @param carefulUpTo letters up to which the teacher of the demonstrations makes no mistake
 * @param texts pretraining texts
 * @param pretrainingSteps steps of pretraining
 * @param demonstrations instructions with the teacher's answer
 * @param sftEpochs passes over them
 * @param pairs preference pairs
 * @param dpoEpochs passes over them
 * @param heldOut words of the exam
 */
public record Scale(
    int hidden,
    int intermediate,
    int layers,
    int shortest,
    int longest,
    int carefulUpTo,
    int texts,
    int pretrainingSteps,
    int demonstrations,
    int sftEpochs,
    int pairs,
    int dpoEpochs,
    int heldOut) {

  /** What {@code cria demo} runs: minutes on two cores. */
  public static Scale full() {
    return new Scale(128, 384, 4, 4, 8, 5, 40_000, 600, 4_000, 2, 1_500, 2, 300);
  }

  /** The same in seconds, for tests of the machinery: too little to learn anything. */
  public static Scale small() {
    return new Scale(64, 128, 2, 3, 4, 3, 3_000, 40, 300, 1, 100, 1, 40);
  }
}
