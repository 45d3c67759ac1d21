package dev.cria.llm;

import dev.cria.CriaException;

/**
 * A file or value given by the user that cannot be used. The message names where it was found
 * (file, line, tensor, field), what was wrong and the values seen, so that it can be shown as it
 * is.
 */
public final class InvalidInputException extends CriaException {
  private static final long serialVersionUID = 1L;

  private final String where;

  /** {@code where} is the file, line or field, {@code problem} what is wrong there. */
  public InvalidInputException(String where, String problem) {
    super(where + ": " + problem);
    this.where = where;
  }

  /** As the other constructor, keeping the error that revealed the problem. */
  public InvalidInputException(String where, String problem, Throwable cause) {
    super(where + ": " + problem, cause);
    this.where = where;
  }

  /** The file, line or field in which the problem was found. */
  public String where() {
    return where;
  }
}
