package dev.cria.internal;

import dev.cria.CriaException;
import dev.cria.NativeException;
import dev.cria.Status;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Links the functions of libcria and turns their statuses into exceptions. A signature is written
 * with the letters of {@code cria_entry_points()}: i int, l long, f float, d double, p pointer.
 */
public final class Abi {
  /** CRIA_ABI_VERSION of the header that these bindings were written for. */
  public static final int VERSION = 1;

  private static final int SCRATCH_BYTES = 1024;
  private static final Linker LINKER = Linker.nativeLinker();
  private static final Map<String, String> LINKED = new ConcurrentHashMap<>();
  private static final ThreadLocal<MemorySegment> SCRATCH =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(SCRATCH_BYTES, 8));

  private Abi() {}

  /** A function that returns a status. */
  static MethodHandle link(String name, String arguments) {
    return CallCounts.counted(name, link(name, arguments, 'i'));
  }

  static MethodHandle link(String name, String arguments, char result) {
    LINKED.put(name, "(" + arguments + ")" + result);
    MemoryLayout[] layouts = new MemoryLayout[arguments.length()];
    for (int i = 0; i < layouts.length; i++) {
      layouts[i] = layout(arguments.charAt(i));
    }
    return LINKER.downcallHandle(
        NativeLibrary.symbol(name), FunctionDescriptor.of(layout(result), layouts));
  }

  /** Signatures of everything linked so far, by name; for the test that compares them with C. */
  static Map<String, String> linked() {
    return Map.copyOf(LINKED);
  }

  private static MemoryLayout layout(char letter) {
    return switch (letter) {
      case 'i' -> ValueLayout.JAVA_INT;
      case 'l' -> ValueLayout.JAVA_LONG;
      case 'f' -> ValueLayout.JAVA_FLOAT;
      case 'd' -> ValueLayout.JAVA_DOUBLE;
      case 'p' -> ValueLayout.ADDRESS;
      default -> throw new AssertionError("signature letter " + letter);
    };
  }

  /** Throws what the last call of this thread said when its status is not OK. */
  static void check(int status) {
    if (status != 0) {
      throw new NativeException(Status.of(status), NativeLibrary.lastError());
    }
  }

  /** What to throw for a throwable that came out of a downcall; a handle throws nothing itself. */
  static RuntimeException failure(Throwable thrown) {
    if (thrown instanceof RuntimeException exception) {
      return exception;
    }
    if (thrown instanceof Error error) {
      throw error;
    }
    return new CriaException("native call: " + thrown, thrown);
  }

  /**
   * A small native buffer of this thread for out-parameters and dimension lists; its content lasts
   * until the next use.
   */
  public static MemorySegment scratch() {
    return SCRATCH.get();
  }
}
