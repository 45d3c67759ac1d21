package dev.cria;

/** A failure that the native library reported. */
public final class NativeException extends CriaException {
  private final Status status;

  /** A status other than OK, with the message of {@code cria_last_error}. */
  public NativeException(Status status, String message) {
    super(message.isEmpty() ? "native call failed with status " + status : message);
    this.status = status;
  }

  /** Kind of the failure. */
  public Status status() {
    return status;
  }
}
