package dev.cria.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.openblas.global.openblas;

/** The library of OpenBLAS, for calls that do not go through JavaCPP. */
final class OpenBlas {
  private OpenBlas() {}

  /** JavaCPP unpacks the library and what it needs. */
  static SymbolLookup library() {
    Path library = Path.of(Loader.load(openblas.class)).resolveSibling("libopenblas.so.0");
    return SymbolLookup.libraryLookup(library, Arena.global());
  }
}
