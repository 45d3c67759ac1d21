package dev.cria;

/** What Cria throws: one sentence with the operation, what was wrong, the values, what to do. */
public class CriaException extends RuntimeException {
  /** A failure with its sentence. */
  public CriaException(String message) {
    super(message);
  }

  /** A failure that follows from another. */
  public CriaException(String message, Throwable cause) {
    super(message, cause);
  }
}
