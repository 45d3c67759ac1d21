package dev.cria.internal;

import dev.cria.CriaException;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Finds and opens libcria once: where {@code -Dcria.library.path} (a folder or the file) says, or
 * without it in {@code java.library.path}, then in the jar.
 */
public final class NativeLibrary {
  /** System property that names the library file or its folder. */
  public static final String PATH_PROPERTY = "cria.library.path";

  private static volatile @Nullable NativeLibrary loaded;

  private final SymbolLookup symbols;
  private final Path file;
  private final MethodHandle lastError;

  private NativeLibrary(Path file) {
    this.file = file;
    this.symbols = SymbolLookup.libraryLookup(file, Arena.global());
    int version;
    try {
      version =
          (int)
              handle("cria_abi_version", FunctionDescriptor.of(ValueLayout.JAVA_INT)).invokeExact();
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
    if (version != Abi.VERSION) {
      throw new CriaException(
          "native library: "
              + file
              + " has ABI version "
              + version
              + ", these classes need "
              + Abi.VERSION
              + "; use the library of the same release");
    }
    this.lastError = handle("cria_last_error", FunctionDescriptor.of(ValueLayout.ADDRESS));
  }

  /** Opens the library on first use; a failure is reported again at the next call. */
  public static NativeLibrary load() {
    NativeLibrary present = loaded;
    if (present != null) {
      return present;
    }
    synchronized (NativeLibrary.class) {
      present = loaded;
      if (present == null) {
        present = find();
        loaded = present;
      }
      return present;
    }
  }

  /** The file that was opened. */
  public Path file() {
    return file;
  }

  static MemorySegment symbol(String name) {
    NativeLibrary library = load();
    return library
        .symbols
        .find(name)
        .orElseThrow(
            () ->
                new CriaException("native library: " + library.file + " has no function " + name));
  }

  static String lastError() {
    return text(load().lastError);
  }

  /** The release of the library, e.g. "0.1.0". */
  public static String version() {
    return text(load().handle("cria_version", FunctionDescriptor.of(ValueLayout.ADDRESS)));
  }

  /** The library's own table of entry points, one "name(arguments)result" a line. */
  static String entryPoints() {
    return text(load().handle("cria_entry_points", FunctionDescriptor.of(ValueLayout.ADDRESS)));
  }

  private static String text(MethodHandle function) {
    try {
      return string((MemorySegment) function.invokeExact());
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  /** Reads NUL-terminated UTF-8 text that C returned. */
  public static String string(MemorySegment address) {
    return address.reinterpret(Long.MAX_VALUE).getString(0);
  }

  private MethodHandle handle(String name, FunctionDescriptor descriptor) {
    MemorySegment symbol =
        symbols
            .find(name)
            .orElseThrow(
                () -> new CriaException("native library: " + file + " has no function " + name));
    return Linker.nativeLinker().downcallHandle(symbol, descriptor);
  }

  private static NativeLibrary find() {
    String name = System.mapLibraryName("cria");
    return find(
        System.getProperty(PATH_PROPERTY, ""),
        System.getProperty("java.library.path", ""),
        "META-INF/native/" + platform() + "/" + name);
  }

  /**
   * Looks in the places in turn.
   *
   * @param path a folder or file, or empty
   * @param javaPath folders as in java.library.path, or empty
   * @param resource path inside the jar
   */
  static NativeLibrary find(String path, String javaPath, String resource) {
    List<String> tried = new ArrayList<>();
    String name = System.mapLibraryName("cria");
    if (!path.isEmpty()) {
      Path given = Path.of(path);
      Path file = Files.isDirectory(given) ? given.resolve(name) : given;
      NativeLibrary library = open(file, tried);
      if (library == null) {
        throw new CriaException(
            "native library: there is no %s, which -D%s names; name the folder of %s or leave it out"
                .formatted(file, PATH_PROPERTY, name));
      }
      return library;
    }
    for (String folder : javaPath.split(File.pathSeparator)) {
      if (!folder.isEmpty()) {
        NativeLibrary library = open(Path.of(folder, name), tried);
        if (library != null) {
          return library;
        }
      }
    }
    try (InputStream in = NativeLibrary.class.getModule().getResourceAsStream(resource)) {
      if (in != null) {
        return new NativeLibrary(LibraryCache.store(in.readAllBytes(), name));
      }
    } catch (IOException e) {
      throw new CriaException("native library: cannot unpack jar:" + resource + ": " + e, e);
    }
    tried.add("jar:" + resource);
    throw new CriaException(
        "native library: not found; tried: "
            + String.join(", ", tried)
            + "; name its folder with -D"
            + PATH_PROPERTY);
  }

  private static @Nullable NativeLibrary open(Path file, List<String> tried) {
    tried.add(file.toString());
    if (!Files.isRegularFile(file)) {
      return null;
    }
    try {
      return new NativeLibrary(file.toAbsolutePath());
    } catch (IllegalArgumentException e) {
      throw new CriaException(
          "native library: " + file + " cannot be opened (damaged, or for another platform)", e);
    }
  }

  /** Folder of this platform inside the jar, e.g. "linux-x86_64". */
  static String platform() {
    String os = System.getProperty("os.name", "").toLowerCase(Locale.ROOT);
    String arch = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
    String osName = os.startsWith("mac") ? "darwin" : os.startsWith("windows") ? "windows" : os;
    return osName + "-" + (arch.equals("amd64") ? "x86_64" : arch);
  }
}
