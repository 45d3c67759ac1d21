package dev.cria.cli;

/** Whether a person watches. */
final class Terminal {
  private Terminal() {}

  /** Whether standard input and output are a terminal. */
  static boolean interactive() {
    return System.console() != null && System.console().isTerminal();
  }
}
